"""NumPy's public names that have no derivative here, by their reason. Plain data.

`tests/test_numpy_names.py` walks NumPy's own lists and holds these tables: every name is either
differentiated, or in one of them, and none is in them that need not be. Names of `np.linalg` and
`np.fft` are written `linalg.test`. Names that only some versions of NumPy have may stay.
"""

# Functions that take tensors, and give what does not vary with them or varies in steps.
WITHOUT_DERIVATIVE = {
    "positions and counts": """
        argmax argmin argpartition argsort argwhere count_nonzero digitize flatnonzero ix_ lexsort
        nanargmax nanargmin nonzero ravel_multi_index searchsorted unravel_index linalg.matrix_rank
        diag_indices_from tril_indices_from triu_indices_from""",
    "truth values": """
        all allclose any array_equal array_equiv equal greater greater_equal isclose iscomplex
        isfinite isin isinf isnan isneginf isposinf isreal less less_equal logical_and logical_not
        logical_or logical_xor not_equal signbit""",
    "of integers": """
        bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or
        bitwise_right_shift bitwise_xor gcd intersect1d invert lcm left_shift packbits right_shift
        unpackbits""",
    "piecewise constant": """
        around ceil fix floor floor_divide rint round sign spacing trunc""",
    "of the shape alone": "empty_like ndim ones_like shape size zeros_like",
    "of the dtype alone": "can_cast common_type iscomplexobj isrealobj result_type",
    "made without an array; a tensor with like=": """
        arange empty eye frombuffer fromfile fromstring genfromtxt identity loadtxt ones tri zeros
        from_dlpack""",
}

# Functions that change their first argument, which may be a tensor: assignment by another name.
IN_PLACE = "copyto fill_diagonal place put put_along_axis putmask"

# Names that take no tensor. Given one, they raise, unless they never look at it.
TAKE_NO_TENSOR = {
    "takes numbers, no arrays": """
        bartlett blackman diag_indices hamming hanning indices kaiser mask_indices tril_indices
        triu_indices fft.fftfreq fft.rfftfreq""",
    "takes shapes, no arrays": "broadcast_shapes",
    "takes dtypes": "isdtype issubdtype mintypecode promote_types typename",
    "asks what an object is": "isscalar iterable",
    "asks about memory, which a tensor does not share": "isfortran may_share_memory shares_memory",
    "finds a dtype by the value": "min_scalar_type",
    "a plan, made from shapes: pass arrays of zeros": "einsum_path",
    "writes text": """
        array2string array_repr array_str base_repr binary_repr format_float_positional
        format_float_scientific""",
    "reads and writes files": "fromregex load save savetxt savez savez_compressed",
    "of dates": """
        busday_count busday_offset busdaycalendar datetime_as_string datetime_data is_busday isnat
        datetime64 timedelta64""",
    "settings and information": """
        errstate get_include get_printoptions getbufsize geterr geterrcall info printoptions
        set_printoptions setbufsize seterr seterrcall show_config show_runtime test linalg.test
        fft.test""",
    "turns the argument into an array, past NumPy's protocols; ga.asarray keeps tensors": """
        asarray_chkfinite broadcast c_ flatiter nditer ndenumerate nested_iters r_""",
    "calls a function with plain numbers; ga.vectorize takes tensors": "frompyfunc vectorize",
    "makes grids from slices": "index_exp mgrid ndindex ogrid s_",
    "np.matrix, for which * is the matrix product": "asmatrix bmat matrix",
    "an object, whose coefficients may be tensors": "poly1d",
    "an old name, with a warning": "in1d row_stack trapz",
    "a type of arrays": "chararray memmap ndarray recarray",
    "a type of numbers": """
        bool bool_ byte bytes_ cdouble character clongdouble complex128 complex192 complex256
        complex64 complexfloating csingle double flexible float128 float16 float32 float64 float96
        floating generic half inexact int16 int32 int64 int8 int_ intc integer intp long longdouble
        longlong number object_ record short signedinteger single str_ ubyte uint uint16 uint32
        uint64 uint8 uintc uintp ulong ulonglong unsignedinteger ushort void""",
    "a type of NumPy's machinery": "dtype finfo iinfo ufunc linalg.LinAlgError",
}

# Keywords of NumPy's functions that ours have no use for: they raise where they are given.
KEYWORDS = {
    "stored by the protocol, before the function is called": "out",
    "of subclasses and other libraries' arrays": "subok like",
    "of another array's fields, or of objects": "order:argsort order:sort ndmax:array",
    "of an older NumPy": """
        bias:corrcoef ddof:corrcoef interpolation:quantile interpolation:percentile
        interpolation:nanquantile interpolation:nanpercentile""",
    "of the memory": "device:fftfreq device:rfftfreq",
}

# Methods and attributes of an array that a tensor has not.
NO_METHOD = {
    "of the memory": """
        base byteswap ctypes data flags getfield setfield setflags strides""",
    "reads and writes files": "dump dumps tofile",
    "of an older NumPy": "itemset newbyteorder ptp tostring",
    "changes the shape in place; np.resize gives a copy": "resize",
}
