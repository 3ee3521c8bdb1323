import sys, subprocess, statistics as st, timeit, math
if len(sys.argv)>1:
    if sys.argv[1]=="ours":
        sys.path.insert(0,"src/gradarg")
        from scalar import Scalar, sigmoid
        a,x,b=Scalar(1.),Scalar(2.),Scalar(3.)
        def f(): return sigmoid(a*x+b)
    else:
        from micrograd.engine import Value
        a,x,b=Value(1.),Value(2.),Value(3.)
        if sys.argv[1]=="mg-op":
            def sigmoid(x):
                out=Value(1/(1+math.exp(-x.data)),(x,),'sigmoid')
                def _backward(): x.grad+=out.data*(1-out.data)*out.grad
                out._backward=_backward
                return out
        else:
            def exp(x):
                out=Value(math.exp(x.data),(x,),'exp')
                def _backward(): x.grad+=out.data*out.grad
                out._backward=_backward
                return out
            def sigmoid(z): return (1+exp(-z))**-1
        def f(): return sigmoid(a*x+b)
    def g(): f().backward()
    g()
    n=5000
    print(*(st.median(timeit.repeat(h,number=n,repeat=15))/n*1e6 for h in (f,g)))
else:
    res={k:[] for k in ("ours","mg-op","mg-ops")}
    for _ in range(7):
        for k in res:
            res[k].append([float(v) for v in subprocess.run([sys.executable,__file__,k],capture_output=True,text=True,check=True).stdout.split()])
    for k,v in res.items():
        print(k,"forward %.2f us  forward+backward %.2f us"%tuple(st.median(c) for c in zip(*v)), "range %.2f-%.2f"%(min(r[1] for r in v),max(r[1] for r in v)))
