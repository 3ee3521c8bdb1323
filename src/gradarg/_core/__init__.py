"""L0: the recorded graph and its interpreters. No array semantics; never names Tensor."""
