"""``modclust analyze``: its options, and what it prints. Torch is imported when it runs."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modclust_utils.own.questions import EDGES, SCOPES, Questions
from modclust_utils.paths import absolute_path, root
from modclust_utils.publish.errors import ParameterError, plain_text

if TYPE_CHECKING:
    from modclust_utils.own.understanding import Understanding

HELP = "ask the book's questions about a network of your own; the answer is a page"
WORDS = """\
Is a network clusterable? A network goes in, a page comes out.

NETWORK is one of
  torchvision:NAME      a classifier of torchvision with its own weights
  NAME                  a network that chapter 4 reads, such as efficientnet_lite0
  FILE.safetensors      weights as tensors with names; also .npz, .pth or .pt.
                        A .pth is read without running code, in a process of its own;
                        one that holds more than tensors is refused.
A file of plain Linear or Conv2d layers, one behind the other, needs nothing more: the
layers are read from their names and shapes. For any other file name what builds the
network: --architecture torchvision.models:resnet18 (module:name), or my_file.py:build,
which runs the code of that file and so wants --trust-code.

First try --explain: it takes seconds, computes nothing, and says what each layer is
taken for, what cannot be followed and why, and what the analysis will cost.
"""
EXAMPLES = """\
examples:
  modclust analyze digits.pth --explain
  modclust analyze digits.pth -k 8 --images digits.npz
  modclust analyze model.safetensors --architecture torchvision.models:resnet18
  modclust analyze torchvision:resnet18 --images photographs/ -k 32 --shuffles 20

The page says: what was understood of the network; its n-cut beside that of shuffled copies
(the null) with z and p, for several k and seeds; how far the n-cut hangs on the scale of
units, which a ReLU network can change without computing anything else (the gauge); the
clusters in each layer; and with --images what is lost when a part of a cluster is silenced.
Beside the page lie results.json and CSV files. Ctrl-C keeps what is done: the same command
goes on. In Python: modclust_utils.analyze("digits.pth", n_clusters=8).
"""


def add_parser(commands: Any) -> None:
    """Add the command to those of `modclust`."""
    parser = commands.add_parser(
        "analyze",
        help=HELP,
        description=WORDS,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("--explain", action="store_true", help="only say what is understood")
    reading = parser.add_argument_group("how the network is read")
    reading.add_argument("--architecture", metavar="WHERE", help="module:name, or file.py:name")
    reading.add_argument(
        "--trust-code", action="store_true", help="run the code of the file in --architecture"
    )
    reading.add_argument(
        "--input-shape", metavar="SIZES", help="of one image, such as 3,64,64 (default: by trying)"
    )
    reading.add_argument(
        "--prepared",
        choices=("as-it-is", "imagenet"),
        help="what is done to pixels from 0 to 1: nothing, or less ImageNet's mean and over its "
        "standard deviation (default: as its authors do for torchvision:NAME, else as-it-is)",
    )
    shown = parser.add_argument_group("images, for activations and lesions")
    images = shown.add_mutually_exclusive_group()
    images.add_argument(
        "--images",
        metavar="FOLDER",
        help="a folder of folders, one a class; or of images without classes, which gives no "
        "lesions; or as --data",
    )
    images.add_argument(
        "--data",
        metavar="FILE.npz",
        dest="images",
        help="arrays x (n, ...) and y (n,), or x_train, y_train, x_test, y_test; labels may be "
        "missing",
    )
    _number(
        shown, "--n-images", "n_images", "for clustering by activations, and as many for lesions"
    )
    _number(shown, "--n-random", "n_random", "random sets beside each sub-cluster")
    asked = parser.add_argument_group("what is asked")
    _number(asked, "-k", "n_clusters", "clusters of the whole network; also half and twice as many")
    _number(asked, "--shuffles", "n_shuffles", "shuffled copies; a fifth of them in other tests")
    asked.add_argument("--partitioning", choices=EDGES, default=Questions.partitioning)
    asked.add_argument("--scope", choices=SCOPES, default=Questions.scope)
    _number(asked, "--seed", "seed", "of all that is drawn at random")
    rest = parser.add_argument_group("where it goes")
    rest.add_argument("--name", help="what the page is called (default: the file's name)")
    rest.add_argument("--output", metavar="FOLDER", help="of the page (default: runs/own/NAME)")
    rest.add_argument("--jobs", type=int, default=-1, help="processes (default: all cores)")
    parser.set_defaults(action=run)


def _number(group: Any, option: str, name: str, words: str) -> None:
    default = getattr(Questions, name)
    group.add_argument(
        option, dest=name, type=int, default=default, help=f"{words} (default: {default})",
        metavar="N",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Read, explain, and, unless that was all, analyze and write the page."""
    from modclust_utils.own.plan import as_questions
    from modclust_utils.own.reading import read_network
    from modclust_utils.own.understanding import understand
    from modclust_utils.publish.analysis import analyzed, command, images_for
    from modclust_utils.publish.analysis_folder import check_folder

    asked = {name: getattr(options, name) for name in Questions.__dataclass_fields__}
    reading: dict[str, Any] = {
        "architecture": options.architecture,
        "input_shape": _sizes(options.input_shape),
        "prepared": options.prepared and options.prepared.replace("-", " "),
        "name": options.name,
    }
    try:
        questions = as_questions(**asked)
        own = read_network(
            options.network, trust_code=options.trust_code, images=options.images, **reading
        )
        # before hours are spent on what cannot be written
        if options.output is not None:
            folder = absolute_path("output", options.output)
            check_folder(folder, "output")
        else:
            folder = _folder(own.name)
            check_folder(folder)
        images = images_for(own, options.images or None, questions.n_images)
        found = understand(own, questions.n_clusters, images)
        print(plain_text(explained(found, questions, options.jobs)), flush=True)
        if found.graph is None:
            return 1
        if options.explain:
            return 0
        given = {**reading, "images": options.images, "trust_code": options.trust_code}
        again = command(options.network, questions, **given)
        analysis = analyzed(found, questions, images, n_jobs=options.jobs, command=again)
    except ValueError as error:
        raise error if isinstance(error, ParameterError) else ParameterError(str(error)) from error
    page = analysis.write(folder, beside=options.output is None)
    print("\nIn short")
    for each in (*analysis.summary, *analysis.warnings):
        print(plain_text(f"- {each}"))
    print(f"\nOpen {page}")
    return 0


def _sizes(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,5}([,x]\d{1,5}){0,2}", text):
        raise ParameterError(f"input-shape={text!r} is not allowed: one to three sizes, as 3,64,64")
    return tuple(int(each) for each in re.split("[,x]", text))


def _folder(name: str) -> Path:
    if not re.fullmatch(r"[\w.+-]{1,100}", name) or name.startswith("."):
        raise ParameterError(
            f"name={name!r} is not allowed: letters, numbers, '.', '-' and '_'; --name or --output "
            "gives another"
        )
    return root() / "runs" / "own" / name


def explained(found: Understanding, questions: Questions, n_jobs: int) -> str:
    """What was understood, for a terminal."""
    from modclust_utils.own import findings, tables
    from modclust_utils.own.plan import estimate
    from modclust_utils.publish.analysis import processes

    network = found.network
    table = tables.understood(found).reset_index()
    lines = [
        f"{network.name}: read from {network.source}",
        *(f"  {note}" for note in network.notes),
        *_key_lines(found),
        "",
        table.to_string(index=False, justify="left"),
        "",
    ]
    if found.graph is None:
        return "\n".join([*lines, f"It cannot be analyzed. {findings.refused(found)}"])
    cost = estimate(found, questions, processes(found, questions, n_jobs))
    lines += [
        findings.size(found),
        findings.replayed(found),
        *filter(None, [found.images, findings.top_1(found)]),
        *(f"Warning: {each}" for each in found.warnings),
        f"With {questions.n_clusters} clusters and {questions.n_shuffles} shuffles it will take "
        f"about {max(cost.minutes, 0.1):.1f} minutes and {cost.megabytes / 1000:.1f} GB on "
        f"{cost.n_jobs} process{'es' * (cost.n_jobs > 1)}; lesions of images come on top.",
    ]
    return "\n".join(lines)


def _key_lines(found: Understanding) -> list[str]:
    keys = found.network.keys
    return [
        f"  {words}: {', '.join(names)}"
        for words, names in (
            ("Missing in the file", keys.missing),
            ("In the file, and not in the architecture", keys.unknown),
            ("Of another shape", keys.of_another_shape),
        )
        if names
    ]
