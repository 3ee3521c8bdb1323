"""From the recorded graph to fused kernels."""
