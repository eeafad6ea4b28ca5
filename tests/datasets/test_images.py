"""Labelled images: which are read, in what order, under which class, and at what size."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import rng_of
from PIL import Image
from torch import nn

from modclust_utils import datasets, pretrained
from modclust_utils.datasets import DataError, default_folder
from modclust_utils.datasets import images as module
from modclust_utils.pretrained import load_images, top_accuracy

#: In ImageNet's numbers: goldfish 1, hen 8, parachute 701.
WNIDS = {1: "n01443537", 8: "n01514859", 701: "n03888257"}


def png(seed=0, size=(8, 8), *, kind="png", mode="RGB", value=None):
    pixels = rng_of(seed).integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
    pixels = pixels if value is None else np.full_like(pixels, value)
    content = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(content, kind)
    return content.getvalue()


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def folder(tmp_path):
    """Three images of a parachute, two of goldfish, one of a hen."""
    names = [f"{WNIDS[701]}/{i}.png" for i in "cab"]
    names += [f"{WNIDS[1]}/b.JPG", f"{WNIDS[1]}/a.png", f"{WNIDS[8]}/x.png"]
    files = {name: png(i, kind="jpeg" if "JPG" in name else "png") for i, name in enumerate(names)}
    notes = {f"{WNIDS[8]}/notes.txt": b"no image", "README.md": b"no class"}
    return write(tmp_path / "own", files | notes)


# --- which, and in what order --------------------------------------------------------------------


def test_images_come_in_the_order_of_their_classes_and_names(folder):
    found = load_images(folder, size=8)
    assert found.y.dtype == np.int64
    assert found.y.tolist() == [1, 1, 8, 701, 701, 701]
    assert [each.name for each in found.files] == [
        "a.png",
        "b.JPG",
        "x.png",
        "a.png",
        "b.png",
        "c.png",
    ]
    assert (len(found), found.name, found.note) == (6, "own", "")
    assert len(found.class_names) == 1000
    assert found.class_names[1].startswith("goldfish")
    assert found.class_names[701].startswith("parachute")
    x = found.x
    assert (x.dtype, x.shape) == (torch.uint8, (6, 3, 8, 8))
    with Image.open(folder / WNIDS[701] / "b.png") as image:
        assert np.array_equal(x[4].permute(1, 2, 0).numpy(), np.asarray(image))


def test_batches_are_the_images_in_parts(folder):
    found = load_images(folder, size=8)
    parts = list(found.batches(4))
    assert [len(x) for x, _ in parts] == [4, 2]
    assert torch.equal(torch.cat([x for x, _ in parts]), found.x)
    assert torch.cat([y for _, y in parts]).tolist() == found.y.tolist()
    with pytest.raises(ValueError, match="batch_size=0 is not allowed"):
        next(found.batches(0))


def test_an_image_is_read_when_its_turn_comes(folder):
    found = load_images(folder, size=8)
    batches = found.batches(1)
    next(batches)
    (folder / WNIDS[1] / "b.JPG").unlink()
    with pytest.raises(DataError, match=r"the image b\.JPG in .* cannot be read"):
        next(batches)


def test_a_part_is_spread_over_the_classes(folder):
    for n, expected in ((1, [1]), (3, [1, 8, 701]), (5, [1, 1, 8, 701, 701]), (6, None)):
        found = load_images(folder, size=8, n_images=n)
        assert found.y.tolist() == (expected or [1, 1, 8, 701, 701, 701])
    assert [each.name for each in load_images(folder, size=8, n_images=3).files] == [
        *("a.png", "x.png", "a.png")
    ]


def test_a_part_is_drawn_by_the_seed(folder):
    draws = [load_images(folder, size=8, n_images=3, rng=seed) for seed in range(30)]
    for draw in draws:
        assert draw.y.tolist() == [1, 8, 701]
    names = {tuple(each.name for each in draw.files) for draw in draws}
    assert names == {
        (a, "x.png", c) for a in ("a.png", "b.JPG") for c in ("a.png", "b.png", "c.png")
    }
    again = load_images(folder, size=8, n_images=3, rng=rng_of(7))
    assert again.files == draws[7].files
    assert {load_images(folder, size=8, n_images=1, rng=seed).y[0] for seed in range(30)} == {
        1,
        8,
        701,
    }


def test_plain_folders_are_numbered_in_their_order(tmp_path):
    write(tmp_path, {f"{name}/a.png": png() for name in ("10", "2", "cat", "ant")})
    found = load_images(tmp_path, size=8, classes="folders")
    assert found.class_names == ("2", "10", "ant", "cat")
    assert found.y.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("classes", "names", "expected"),
    [
        ("imagenet", ["701", WNIDS[8], "0"], [0, 8, 701]),
        ("cifar10", ["truck", "airplane", "3"], [0, 3, 9]),
    ],
)
def test_folders_may_be_numbers_or_names_of_classes(tmp_path, classes, names, expected):
    write(tmp_path, {f"{name}/a.png": png() for name in names})
    found = load_images(tmp_path, size=8, classes=classes)
    assert found.y.tolist() == expected
    if classes == "cifar10":
        assert found.class_names == datasets.class_names("cifar10")


def test_the_classes_of_imagenet():
    """Their numbers are the places of their wnids in order (ILSVRC2012)."""
    known = pretrained.imagenet_classes()
    assert len(known) == 1000
    assert list(known) == sorted(known)
    assert all(len(wnid) == 9 and wnid[0] == "n" and wnid[1:].isdecimal() for wnid in known)
    for number, (wnid, name) in {
        0: ("n01440764", "tench, Tinca tinca"),
        285: ("n02124075", "Egyptian cat"),
        967: ("n07920052", "espresso"),
        999: ("n15075141", "toilet tissue, toilet paper, bathroom tissue"),
    }.items():
        assert list(known.items())[number] == (wnid, name)


# --- sizes ---------------------------------------------------------------------------------------


def of_size(tmp_path, content, **settings):
    return load_images(write(tmp_path, {"0/a.png": content}), classes="folders", **settings)


def test_an_image_of_the_right_size_stays_as_it_is(tmp_path):
    with Image.open(io.BytesIO(png(3, (8, 8)))) as image:
        expected = np.asarray(image)
    found = of_size(tmp_path, png(3, (8, 8)), size=8).x[0]
    assert np.array_equal(found.permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize("size", [(9, 8), (12, 9), (9, 30)])
def test_an_image_that_is_little_larger_is_only_cut(tmp_path, size):
    """Its shorter side is between size and resize, 8 and 9."""
    with Image.open(io.BytesIO(png(3, size))) as image:
        pixels = np.asarray(image)
    # the middle; where that is half a pixel off, torchvision rounds to the even one
    left, top = (round((side - 8) / 2) for side in size)
    expected = pixels[top : top + 8, left : left + 8]
    found = of_size(tmp_path, png(3, size), size=8).x[0]
    assert np.array_equal(found.permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_a_larger_image_is_shrunk_and_then_cut(tmp_path, interpolation):
    """28 x 40 to 14 x 20, of which the middle 8 x 8 are kept."""
    content = png(5, (40, 28))
    with Image.open(io.BytesIO(content)) as image:
        small = np.asarray(image.resize((20, 14), getattr(Image, interpolation.upper())))
    found = of_size(tmp_path, content, size=8, resize=14, interpolation=interpolation)
    assert np.array_equal(found.x[0].permute(1, 2, 0).numpy(), small[3:11, 6:14])
    assert found.resize == 14


def test_a_smaller_image_is_enlarged(tmp_path):
    content = png(5, (8, 4))
    with Image.open(io.BytesIO(content)) as image:
        large = np.asarray(image.resize((16, 8), Image.BILINEAR))
    found = of_size(tmp_path, content, size=8)
    assert np.array_equal(found.x[0].permute(1, 2, 0).numpy(), large[:, 4:12])


def test_the_part_that_is_kept_is_that_of_the_papers():
    assert [round(size / module.KEPT) for size in (224, 28)] == [256, 32]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_images_of_other_kinds_have_three_channels(tmp_path, mode):
    found = of_size(tmp_path, png(0, mode=mode), size=8)
    assert found.x.shape == (1, 3, 8, 8)


# --- hashes --------------------------------------------------------------------------------------


def test_the_content_hash_by_hand(tmp_path):
    content = png(3)
    found = of_size(tmp_path, content, size=8)
    one = hashlib.sha256(b"0 " + content).hexdigest()
    assert found.content_hash == hashlib.sha256(f"{one}\n8 9 bilinear".encode()).hexdigest()
    assert (
        pretrained.images_hash(tmp_path, classes="folders")
        == hashlib.sha256(one.encode()).hexdigest()
    )


def test_the_content_hash_knows_each_change(folder):
    def hashed(**settings):
        return load_images(folder, **{"size": 8, **settings}).content_hash

    before = hashed()
    assert hashed() == hashed(n_images=6) == hashed(rng=3) == before
    others = [
        hashed(size=7),
        hashed(resize=10),
        hashed(interpolation="bicubic"),
        hashed(n_images=5),
    ]
    assert len({before, *others}) == 5
    (folder / WNIDS[1] / "a.png").rename(folder / WNIDS[8] / "a.png")
    moved = hashed()
    write(folder, {f"{WNIDS[8]}/a.png": png(99)})
    assert len({before, moved, hashed()}) == 3


# --- archives and sets with names ----------------------------------------------------------------


def packed(place, name, files):
    """An archive and the table beside it; files: content by wnid and name in the archive."""
    with zipfile.ZipFile(place / f"{name}.zip", "w") as archive:
        for (_, file), content in files.items():
            archive.writestr(file, content)
    with (place / "images.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["archive", "file", "wnid", "origin"])
        table.writerows([name, file, wnid, "?"] for wnid, file in files)
        table.writerow(["another", "z.png", WNIDS[1], "?"])
    return place / f"{name}.zip"


def test_an_archive_gives_what_its_folder_gives(folder, tmp_path):
    files = {
        (path.parent.name, f"flat_{path.parent.name}/{path.name}"): path.read_bytes()
        for path in folder.glob("n*/*")
        if path.name != "notes.txt"
    }
    assert len(files) == 6
    found = load_images(packed(tmp_path, "own", files), size=8)
    expected = load_images(folder, size=8)
    assert found.content_hash == expected.content_hash
    assert torch.equal(found.x, expected.x)
    assert found.y.tolist() == expected.y.tolist()


@pytest.fixture
def small_imagenette(tmp_path, monkeypatch):
    """An archive with two validation images and a training image that stands for Imagenette's."""
    place = tmp_path / "data" / "imagenet"
    place.mkdir(parents=True)
    names = ["ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG", "n01443537_7.JPEG"]
    files = {(WNIDS[1], f"{WNIDS[1]}/{name}"): png(i) for i, name in enumerate(names)}
    packed(place, "imagenette2000", files)
    monkeypatch.setenv("MODCLUST_DATA", str(tmp_path / "data"))
    for name, kept in (("imagenette-val", names[:2]), ("imagenette-train", names[2:])):
        folder = write(
            tmp_path / name / "x",
            {f"{WNIDS[1]}/{n}": files[WNIDS[1], f"{WNIDS[1]}/{n}"] for n in kept},
        )
        own = replace(module.IMAGE_SETS[name], files_hash=pretrained.images_hash(folder))
        monkeypatch.setitem(module.IMAGE_SETS, name, own)
    return place


def test_a_set_with_a_name_is_found_in_its_archive(small_imagenette):
    for folder in ("imagenette-val", small_imagenette / "imagenette-val"):
        found = load_images(folder, size=8)
        assert [each.name[:14] for each in found.files] == ["ILSVRC2012_val"] * 2
        assert found.note == module.IMAGE_SETS["imagenette-val"].note
        assert found.name == "imagenette-val"
    assert [each.name for each in load_images("imagenette-train", size=8).files] == [
        "n01443537_7.JPEG"
    ]
    assert len(load_images(small_imagenette / "imagenette2000.zip", size=8)) == 3


def test_a_set_with_a_name_may_be_a_folder(small_imagenette):
    found = load_images("imagenette-val", size=8)
    with zipfile.ZipFile(small_imagenette / "imagenette2000.zip") as archive:
        for name in archive.namelist()[:2]:
            archive.extract(name, small_imagenette / "imagenette-val")
    (small_imagenette / "imagenette2000.zip").unlink()
    assert load_images("imagenette-val", size=8).content_hash == found.content_hash


def test_an_altered_set_with_a_name_is_noticed(small_imagenette):
    write(small_imagenette / "imagenette-val", {f"{WNIDS[1]}/ILSVRC2012_val_1.png": png(8)})
    with pytest.raises(DataError, match=r"imagenette-val were altered: .*a folder of another name"):
        load_images("imagenette-val", size=8, n_images=1)


def test_the_hash_of_a_set_with_a_name_is_known_without_its_files(monkeypatch):
    monkeypatch.setenv("MODCLUST_DATA", "/does/not/exist")
    hashes = [pretrained.images_hash(name) for name in pretrained.IMAGE_SETS]
    assert len(set(hashes)) == len(hashes) == 4
    assert hashes == [each.files_hash for each in pretrained.IMAGE_SETS.values()]


# --- what is refused -----------------------------------------------------------------------------


def test_what_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MODCLUST_DATA", str(tmp_path))
    with pytest.raises(
        DataError, match=r"folder='.*/imagenet/val1300' is not there, nor .*val1300\.zip"
    ):
        load_images("val1300", size=8)
    with pytest.raises(
        DataError, match=r"folder='.*nothing' is not there; allowed: a folder of folders"
    ):
        load_images(tmp_path / "nothing", size=8)
    with pytest.raises(DataError, match="has no images in folders, one a class"):
        load_images(write(tmp_path, {"a.png": png()}), size=8)


def test_an_archive_without_its_table_is_named(tmp_path):
    path = packed(tmp_path, "own", {(WNIDS[1], "a.png"): png()})
    (tmp_path / "images.csv").write_text("archive,file\nown,a.png\n")
    with pytest.raises(DataError, match=r"images\.csv has no columns archive, file and wnid"):
        load_images(path, size=8)
    (tmp_path / "images.csv").unlink()
    with pytest.raises(DataError, match=r"has no images\.csv beside it"):
        load_images(path, size=8)


def test_a_folder_that_is_no_class_is_named(tmp_path):
    write(tmp_path, {f"{name}/a.png": png() for name in (WNIDS[1], "cats", "1000")})
    with pytest.raises(
        DataError, match=r"has '1000', 'cats', no class of imagenet; allowed: names such"
    ):
        load_images(tmp_path, size=8)


# --- the data set Imagenette ----------------------------------------------------------------------


def photographs(folder, n):
    """n plain images of 224x224 of each of Imagenette's classes: their colours tell them apart."""
    wnids = [[*pretrained.imagenet_classes()][number] for number in datasets.IMAGENETTE_CLASSES]
    for label, wnid in enumerate(wnids):
        for i in range(n):
            image = Image.new("RGB", (224, 224), (20 * label, i, 7))
            (folder / wnid).mkdir(parents=True, exist_ok=True)
            image.save(folder / wnid / f"{i:02d}.png", compress_level=1)


@pytest.fixture(scope="module")
def ten_classes(tmp_path_factory):
    """51 training images of each class, one more than the data set takes, and 50 for testing."""
    folder = tmp_path_factory.mktemp("imagenette")
    for part, n in (("train", 51), ("val", 50)):
        photographs(folder / "imagenet" / f"imagenette-{part}", n)
    return folder


@pytest.fixture
def known_classes(ten_classes, monkeypatch):
    """These images stand for the known ones; their folder."""
    for name in ("imagenette-train", "imagenette-val"):
        path = ten_classes / "imagenet" / name
        own = [each for each in module.IMAGE_SETS.values() if each.name == name]
        monkeypatch.delitem(module.IMAGE_SETS, name)
        files_hash = pretrained.images_hash(path)
        monkeypatch.setitem(module.IMAGE_SETS, name, replace(own[0], files_hash=files_hash))
    return ten_classes


def test_the_data_set_takes_fifty_of_each_class_in_turns(known_classes):
    stored = module.read_imagenette(known_classes, False)
    for images, labels in (stored.train, stored.test):
        assert (images.shape, images.dtype) == ((500, 3, 224, 224), np.uint8)
        assert labels.dtype == np.uint8
        assert labels.tolist() == list(range(10)) * 50
        # red says which class, green which of its images
        assert images[:, :, 9, 9].tolist() == [[20 * (i % 10), i // 10, 7] for i in range(500)]


def test_the_data_set_and_the_images_of_the_networks_are_read_alike(known_classes):
    """Their numbers among ImageNet's classes are those by which a network is measured."""
    images, labels = module.read_imagenette(known_classes, False).test
    found = load_images(known_classes / "imagenet" / "imagenette-val", size=224)
    order = np.argsort(labels, kind="stable")
    assert found.y.tolist() == [datasets.IMAGENETTE_CLASSES[label] for label in labels[order]]
    assert np.array_equal(found.x.numpy(), images[order])


def test_what_is_missing_of_the_data_set_is_named(tmp_path, ten_classes):
    with pytest.raises(DataError, match=r"missing .* imagenette-train: .*They come from"):
        datasets.load("imagenette", folder=tmp_path, download=False)
    # as the plain images are none of the known ones
    with pytest.raises(DataError, match=r"missing .* imagenette-train: .* were altered"):
        datasets.load("imagenette", folder=ten_classes, download=False)


@pytest.mark.parametrize("content", [b"", b"no image", png()[:40]])
def test_a_damaged_image_is_named(tmp_path, content):
    with pytest.raises(DataError, match=r"the image a\.png in .* cannot be read"):
        _ = of_size(tmp_path, content, size=8).x


def test_a_damaged_archive_is_named(tmp_path):
    path = packed(tmp_path, "own", {(WNIDS[1], "a.png"): png()})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"the image a\.png in .*own\.zip cannot be read"):
        load_images(path, size=8)


def marked(path, *, flag=0, method=0):
    """The archive of one image with a flag, or a method of packing, in both places that say so."""
    content = bytearray(path.read_bytes())
    for start, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(start) + place
        content[at] |= flag
        content[at + 2] |= method
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("mark", "words"), [({"flag": 1}, "encrypted"), ({"method": 99}, "not supported")]
)
def test_an_archive_that_cannot_be_unpacked_is_named(tmp_path, mark, words):
    path = marked(packed(tmp_path, "own", {(WNIDS[1], "a.png"): png()}), **mark)
    with pytest.raises(
        DataError, match=rf"the image a\.png in .*own\.zip cannot be read .*{words}"
    ):
        load_images(path, size=8)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("own,käse.png,n01443537".encode("latin-1"), r"images\.csv cannot be read .*UTF-8"),
        (b"own,a.png,n01443537\nown", r"images\.csv has no file or no wnid in line 3"),
        (b"own,a.png", r"images\.csv has no file or no wnid in line 2"),
        (b"own,a.png," + b"n" * 200_000, r"images\.csv cannot be read \(field larger"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, rows, message):
    path = packed(tmp_path, "own", {(WNIDS[1], "a.png"): png()})
    (tmp_path / "images.csv").write_bytes(b"archive,file,wnid\n" + rows + b"\n")
    with pytest.raises(DataError, match=message):
        load_images(path, size=8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "size=0 is not allowed"),
        ({"size": 8.0}, "size=8.0 is not allowed"),
        ({"resize": 7}, "resize=7 is not allowed: a whole number of 8 or more"),
        ({"n_images": 7}, "n_images=7 is not allowed: 1 to 6, which there are"),
        ({"n_images": 0}, "n_images=0 is not allowed"),
        ({"n_images": 3, "rng": "3"}, "rng='3' is not allowed"),
        (
            {"classes": "coco"},
            "classes='coco' is not allowed: 'imagenet' or 'cifar10' or 'folders'",
        ),
        ({"interpolation": "nearest"}, "interpolation='nearest' is not allowed"),
    ],
)
def test_other_settings_are_refused(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        load_images(folder, **{"size": 8, **settings})


# --- accuracy ------------------------------------------------------------------------------------


class Brightness(nn.Module):
    """Logits that put class 8 first for a dark image and 701 for a bright one; the other second."""

    def forward(self, x):
        logits = torch.zeros(len(x), 1000)
        bright = x.mean((1, 2, 3))
        logits[:, 8] = 2 - bright
        logits[:, 701] = 1 + bright
        return logits


def network_of(network, **changes):
    fields = {"name": "toy", "words": "toy", "classes": "imagenet", "image_size": 8, "resize": 9}
    fields |= {
        "mean": (0.0,) * 3,
        "std": (1.0,) * 3,
        "interpolation": "bilinear",
        "weights_hash": "",
    }
    return pretrained.Pretrained(module=network, **{**fields, **changes})


def test_accuracies_by_hand(tmp_path):
    """Of six images three are right, two come second, and one is of a class among the others."""
    values = {f"{WNIDS[8]}/{i}.png": value for i, value in enumerate([0, 10, 250])}
    values |= {f"{WNIDS[701]}/a.png": 255, f"{WNIDS[701]}/b.png": 3, f"{WNIDS[1]}/a.png": 0}
    write(tmp_path, {name: png(value=value) for name, value in values.items()})
    images = load_images(tmp_path, size=8)
    found = top_accuracy(network_of(Brightness()), images, k=(1, 2, 3, 1000), batch_size=4)
    # ties count against a class: 998 others are as good as the last
    assert found == (3 / 6, 5 / 6, 5 / 6, 1.0)
    assert top_accuracy(network_of(Brightness()), images) == (3 / 6, 5 / 6)


def test_a_network_that_says_nothing_is_never_right(folder):
    class Silent(nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), 1000)

    assert top_accuracy(network_of(Silent()), load_images(folder, size=8)) == (0.0, 0.0)


def test_a_network_whose_answers_are_no_numbers_has_no_accuracy(folder):
    class Broken(nn.Module):
        def forward(self, x):
            return torch.full((len(x), 1000), float("nan"))

    with pytest.raises(ValueError, match="what network puts out holds NaN or infinity"):
        top_accuracy(network_of(Broken()), load_images(folder, size=8))


def test_images_for_another_network_are_refused(folder):
    images = load_images(folder, size=8)
    for changes, message in (
        ({"image_size": 9}, "images have size=8; allowed: 9, as toy"),
        ({"classes": "cifar10"}, "images have classes='imagenet'; allowed: 'cifar10', as toy"),
    ):
        with pytest.raises(ValueError, match=message):
            top_accuracy(network_of(Brightness(), **changes), images)
    with pytest.raises(ValueError, match=r"k\[0\]=0 is not allowed"):
        top_accuracy(network_of(Brightness()), images, k=(0,))


# --- ImageNet's own images -----------------------------------------------------------------------


def at_hand(name):
    place = default_folder() / "imagenet"
    return (place / name).is_dir() or (place / f"{module.IMAGE_SETS[name].archive}.zip").is_file()


@pytest.mark.skipif(
    not (os.environ.get("MODCLUST_DATA") and all(map(at_hand, module.IMAGE_SETS))),
    reason="MODCLUST_DATA names no folder with ImageNet's images",
)
@pytest.mark.parametrize(
    ("name", "n", "n_classes"),
    [
        ("imagenette-val", 500, 10),
        ("imagenette-train", 1500, 10),
        ("val1300", 1300, 725),
        ("sample1000", 1000, 1000),
    ],
)
def test_sets_with_names_are_the_known_ones(name, n, n_classes):
    found = load_images(name, size=224)
    assert (len(found), len(set(found.y.tolist()))) == (n, n_classes)
    few = load_images(name, size=224, n_images=10, rng=0)
    assert few.x.shape == (10, 3, 224, 224)
    assert few.y.tolist() == sorted(set(few.y.tolist()))
    assert Path(few.files[0].place).suffix.lower() in module.SUFFIXES
