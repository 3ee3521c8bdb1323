"""The house rules: who may import whom, as the sources say; nothing of gradarg is imported here.

`HOUSE` lists the parts of the package from the top down. A part imports only from parts above it;
parts on one line may import one another. Every import counts: at the top of a file, inside a
function, for types alone, by `import_module("...")`, and by reaching through a name (`ga.nn` in a
file that says `import gradarg as ga`). There are no cycles, except that the annotations inside one
part may refer to each other.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

ROOT = "gradarg"  # as a part: src/gradarg/__init__.py, the public line
HOUSE = [
    ["_core"],
    ["_ops"],
    ["_namespace"],
    ["_tensor"],
    ["_creation"],
    ["_transform"],
    ["_jit"],
    ["testing"],
    [ROOT],
    ["nn", "optim", "data", "random"],
    ["train"],
    ["viz", "interop", "sklearn", "distributed", "cli"],
    ["__main__"],
]
ALONE = "scalar"  # imports ALONE_MAY, and nothing imports it
ALONE_MAY = {"math"}
ALONE_MAY_IN_FUNCTIONS = {"random"}

# Parts whose files import only files before them.
ORDER = {
    "_ops": [
        "structure",
        "elementwise",
        "reduce",
        "sorting",
        "searching",
        "contract",
        "linalg",
        "triangular",
        "decompositions",
        "window",
        "fft",
        "polynomial",
        "scipy_rows",
        "quadrature",
        "special",
        "incomplete",
        "distributions",
        "bessel",
        "elliptic",
        "hypergeometric",
        "noncentral",
        "__init__",
    ],
}

# Third-party modules of parts above the public line, besides NumPy; inside functions only.
LAZY_ABOVE_THE_LINE = {"_jit": {"llvmlite"}, "_ops": {"scipy"}}

# Folders that use gradarg as a user would; the tests of the parts below the line do too.
OUTSIDE = ["benchmarks", "docs", "examples"]

RANK = {part: rank for rank, parts in enumerate(HOUSE) for part in parts}
BELOW_THE_LINE = {part for part, rank in RANK.items() if rank > RANK[ROOT]}


# ---------------------------------------------------------------------------- what a file imports


@dataclass(frozen=True)
class Import:
    """One name that a file takes from elsewhere."""

    line: int
    module: str  # absolute: "gradarg._core.tree"
    name: str = ""  # what is taken from it, where that is no module
    when: str = "load"  # "load", "call" (inside a function) or "types" (under TYPE_CHECKING)
    reached: bool = False  # through a name bound by another import: ga.nn


@dataclass
class Reader(ast.NodeVisitor):
    """Collects the imports of one file."""

    package: str  # what a relative import in this file starts from
    modules: set[str]  # every module of the package
    found: list[Import] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)  # lines of import_module(variable)
    bound: dict[str, str] = field(default_factory=dict)  # local name -> "gradarg.nn"
    when: str = "load"

    def within(self, when: str, nodes: Iterable[ast.AST]) -> None:
        outer, self.when = self.when, when if self.when == "load" else self.when
        for node in nodes:
            self.visit(node)
        self.when = outer

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in [*node.decorator_list, node.args, *filter(None, [node.returns])]:
            self.visit(part)
        self.within("call", node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self.within("call", [node.body])

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            self.within("types", node.body)
            self.within(self.when, node.orelse)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.take(node, alias.name)
            top = alias.name.partition(".")[0]
            self.bind(alias.asname or top, alias.name if alias.asname else top)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        source = node.module or ""
        if node.level:
            source = absolute("." * node.level + source, self.package)
        for alias in node.names:
            self.take_from(node, source, alias.name)
            self.bind(alias.asname or alias.name, f"{source}.{alias.name}")

    def visit_Call(self, node: ast.Call) -> None:
        called = ast.unparse(node.func)
        if called in ("import_module", "importlib.import_module", "__import__") and node.args:
            target = node.args[0]
            if isinstance(target, ast.Constant) and isinstance(target.value, str):
                self.take(node, absolute(target.value, self.package))
            else:
                self.unreadable.append(node.lineno)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        path = dotted(node)
        if path is None:
            self.generic_visit(node)
            return
        first, _, rest = path.partition(".")
        if first in self.bound:
            source, names = self.bound[first], rest.split(".")
            while names and f"{source}.{names[0]}" in self.modules:
                source = f"{source}.{names.pop(0)}"
            hidden = next(filter(private, names), "")
            if source != self.bound[first] or hidden:
                self.found.append(Import(node.lineno, source, hidden, self.when, reached=True))

    def take(self, node: ast.AST, module: str) -> None:
        """An import of a module by its full name."""
        self.found.append(Import(node.lineno, module, when=self.when))

    def take_from(self, node: ast.AST, module: str, name: str) -> None:
        """An import of a name, which may be a module itself."""
        if f"{module}.{name}" in self.modules:
            self.take(node, f"{module}.{name}")
        else:
            self.found.append(Import(node.lineno, module, name, self.when))

    def bind(self, name: str, path: str) -> None:
        if path.partition(".")[0] == ROOT:
            self.bound[name] = path


def absolute(module: str, package: str) -> str:
    """`..tree` seen from `gradarg._core` is `gradarg.tree`."""
    name = module.lstrip(".")
    level = len(module) - len(name)
    if not level:
        return module
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - level + 1], *filter(None, [name])])


def dotted(node: ast.AST) -> str | None:
    """`a.b.c` as text; None for an attribute of anything but a plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (prefix := dotted(node.value)):
        return f"{prefix}.{node.attr}"
    return None


def private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


# ------------------------------------------------------------------------------------- the rules


@dataclass
class File:
    """One file of the package, and what it imports."""

    path: str  # from the repository's root
    module: str  # "gradarg._core.tree"
    part: str  # "_core"
    imports: list[Import]
    unreadable: list[int]


def part_of(module: str) -> str:
    """The part of the house that a module of the package belongs to."""
    _, _, inside = module.partition(".")
    return inside.partition(".")[0] or ROOT


def read(path: Path, package: str, modules: set[str]) -> Reader:
    reader = Reader(package, modules)
    reader.visit(ast.parse(path.read_text(encoding="utf-8"), str(path)))
    return reader


def module_name(path: Path, source: Path) -> str:
    names = path.relative_to(source).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def package_files(repository: Path) -> list[File]:
    source = repository / "src"
    paths = sorted((source / ROOT).rglob("*.py"))
    modules = {module_name(path, source) for path in paths}
    files = []
    for path in paths:
        module = module_name(path, source)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        reader = read(path, package, modules)
        relative = path.relative_to(repository).as_posix()
        files.append(
            File(relative, module, part_of(module), reader.found, reader.unreadable),
        )
    return files


def violations(repository: Path) -> list[str]:
    """Every breach of the house rules, as `file:line: rule`."""
    files = package_files(repository)
    found = []
    for file in files:
        if file.part not in RANK and file.part != ALONE:
            found.append(f"{file.path}:1: '{file.part}' has no place in HOUSE; give it one")
            continue
        for taken in file.imports:
            found += [f"{file.path}:{taken.line}: {rule}" for rule in breaches(file, taken)]
        if file.part != ROOT and file.part not in BELOW_THE_LINE:
            found += [
                f"{file.path}:{line}: an import whose target is computed cannot be checked"
                for line in file.unreadable
            ]
    found += cycles(files)
    found += outside(repository, {file.module for file in files})
    return sorted(set(found), key=by_place)


def by_place(violation: str) -> tuple[str, int, str]:
    path, line, rule = violation.split(":", 2)
    return path, int(line), rule


def breaches(file: File, taken: Import) -> Iterator[str]:
    top = taken.module.partition(".")[0]
    if top == "__future__":
        return
    if file.part == ALONE:
        lazy = ALONE_MAY_IN_FUNCTIONS if taken.when == "call" else set()
        if top not in ALONE_MAY | lazy:
            yield f"{ALONE}.py stands alone: it imports {' and '.join(ALONE_MAY)}, not {top}"
    elif top == ROOT:
        yield from breaches_inside(file, taken)
    elif top not in sys.stdlib_module_names and top != "numpy":
        if file.part in BELOW_THE_LINE:
            if taken.when == "load":
                yield f"{file.part} imports {top} inside the functions that need it, not on load"
        elif taken.when == "load" or top not in LAZY_ABOVE_THE_LINE.get(file.part, set()):
            yield f"{file.part} imports no third-party module but numpy, not {top}"


def breaches_inside(file: File, taken: Import) -> Iterator[str]:
    part = part_of(taken.module)
    if part == ALONE:
        yield f"nothing in the package imports {ALONE}"
    elif part not in RANK:
        yield f"'{part}' has no place in HOUSE"
    elif part == file.part:
        yield from breaches_of_order(file, taken)
    elif RANK[part] > RANK[file.part] and not (file.part == ROOT and taken.when != "load"):
        # The root names the packages below the line without loading them: `ga.nn` works on demand.
        yield f"{file.part} imports only from above it, not from {part}"
    if file.part in BELOW_THE_LINE and part != file.part:
        yield from breaches_of_line(taken)


def breaches_of_line(taken: Import) -> Iterator[str]:
    names = [*taken.module.split("."), *taken.name.split(".")]
    if hidden := next(filter(private, names), None):
        yield f"below the public line only public names are used, not '{hidden}'"


def breaches_of_order(file: File, taken: Import) -> Iterator[str]:
    if (order := ORDER.get(file.part)) is None:
        return
    here, there = (place(module) for module in (file.module, taken.module))
    for name in {here, there} - set(order):
        yield f"'{name}' has no place in ORDER['{file.part}']; give it one"
    if {here, there} <= set(order) and order.index(there) >= order.index(here):
        yield f"in {file.part} a file imports only files before it: {here} not from {there}"


def place(module: str) -> str:
    """The name of a module inside its part: `elementwise` for `gradarg._ops.elementwise`."""
    return [*module.split("."), "__init__"][2]


def cycles(files: list[File]) -> Iterator[str]:
    """Import cycles between modules, and between the parts that share a line of the house."""
    edges: dict[str, dict[str, str]] = {}  # from -> to -> where the import stands
    for file in files:
        for taken in file.imports:
            if taken.module.partition(".")[0] != ROOT or taken.module == file.module:
                continue
            # Types alone may refer to each other: a Trace runs Primitives, which bind to Traces.
            # And the root names what is below the line without loading it.
            if taken.when == "types" or (file.part == ROOT and taken.when == "call"):
                continue
            where = f"{file.path}:{taken.line}"
            edges.setdefault(file.module, {}).setdefault(taken.module, where)
            if file.part in RANK and RANK.get(part_of(taken.module)) == RANK[file.part]:
                here, there = f"{file.part}/", f"{part_of(taken.module)}/"
                if here != there:
                    edges.setdefault(here, {}).setdefault(there, where)
    done: set[str] = set()
    for start in edges:
        yield from cycles_from(start, edges, [], done)


def cycles_from(
    module: str, edges: dict[str, dict[str, str]], path: list[str], done: set[str]
) -> Iterator[str]:
    if module in path:
        cycle = [*path[path.index(module) :], module]
        yield f"{edges[cycle[-2]][module]}: import cycle: {' -> '.join(cycle)}"
    elif module not in done:
        for target in edges.get(module, ()):
            yield from cycles_from(target, edges, [*path, module], done)
        done.add(module)


def outside(repository: Path, modules: set[str]) -> Iterator[str]:
    """Files beside the package that use it as a user would."""
    for path in users(repository):
        relative = path.relative_to(repository).as_posix()
        if path.suffix == ".py":
            imports = read(path, relative.rpartition("/")[0].replace("/", "."), modules).found
        else:
            imports = list(quoted_imports(path, modules))
        for taken in imports:
            if taken.module.partition(".")[0] == ROOT:
                yield from (f"{relative}:{taken.line}: {rule}" for rule in breaches_of_line(taken))


def users(repository: Path) -> Iterator[Path]:
    for folder in OUTSIDE:
        for suffix in ("py", "md", "rst", "ipynb"):
            yield from sorted((repository / folder).rglob(f"*.{suffix}"))
    yield from sorted(repository.glob("README.md"))
    for path in sorted((repository / "tests").rglob("*.py")):
        about = path.relative_to(repository / "tests").parts[0]
        if about.removesuffix(".py").removeprefix("test_") in BELOW_THE_LINE:
            yield path


IMPORT_LINE = re.compile(r'^[ \t"]*(?:>>> )?((?:from|import) +gradarg\b[\w. ,*]*)')


def quoted_imports(path: Path, modules: set[str]) -> Iterator[Import]:
    """The import lines in a page's code."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := IMPORT_LINE.match(line):
            try:
                tree = ast.parse(match[1].strip())
            except SyntaxError:  # prose that starts like an import
                continue
            reader = Reader("", modules)
            reader.visit(tree)
            yield from (Import(number, found.module, found.name) for found in reader.found)
