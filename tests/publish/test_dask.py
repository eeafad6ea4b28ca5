"""Workers of a Dask scheduler: the same records as on one machine, whoever dies on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from computing import Bars, records, write_six_pixels
from dask_cluster import LOOPBACK, PATIENCE_SECONDS, Cluster, useless_package, wait_for
from dask_jobs import add, count, endless, look
from small_book import copy_book, write_data

from modclust_utils import datasets
from modclust_utils.datasets import DataError
from modclust_utils.paths import SCHEDULER_VARIABLE
from modclust_utils.publish import (
    cli,
    dask_address,
    dask_hello,
    dask_owner,
    engine,
    parameters,
    session,
)
from modclust_utils.publish.chapters import chapter_notebook, plan
from modclust_utils.publish.dask_owner import DaskCrew
from modclust_utils.publish.dask_round import Round, _Back
from modclust_utils.publish.dask_worker import own_images
from modclust_utils.publish.errors import RunError
from modclust_utils.publish.groups import Crew, LocalCrew
from modclust_utils.publish.records import RecordStore, software
from modclust_utils.publish.run import RunInfo, read_runs
from modclust_utils.recipes import clustering, network, shuffle_test
from modclust_utils.recipes.base import Images, Job, Record, Value

pytestmark = pytest.mark.skipif(os.name != "posix", reason="its processes are forked and killed")
OTHER_TORCH = "9.9.9"


def compute(jobs: Sequence[Job], store: RecordStore, crew: Crew) -> list[list]:
    bars = Bars()
    engine.compute(jobs, store, crew=crew, progress=bars)
    return bars.shown


@pytest.fixture
def store(tmp_path) -> RecordStore:
    return RecordStore(tmp_path / "cache")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """Two workers that fit, one of which has another torch, and two that do not."""
    folder = tmp_path_factory.mktemp("cluster")
    packages = folder / "packages"
    (packages / f"torch-{OTHER_TORCH}.dist-info").mkdir(parents=True)
    facts = f"Metadata-Version: 2.1\nName: torch\nVersion: {OTHER_TORCH}\n"
    (packages / f"torch-{OTHER_TORCH}.dist-info" / "METADATA").write_text(facts)
    other = folder / "other-package"
    # compiled files come and go while other tests run
    compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(dask_hello.PACKAGE, other / dask_hello.PACKAGE.name, ignore=compiled)
    with (other / dask_hello.PACKAGE.name / "nulls.py").open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    made = Cluster(folder / "own")
    try:
        made.start_workers("one")
        made.start_workers("two", packages=str(packages))
        made.start_worker_of("other", other)
        made.start_worker_of("none", useless_package(folder / "no-package"))
        made.wait()
        yield made
    finally:
        made.close()


@pytest.fixture
def crew(cluster) -> Iterator[DaskCrew]:
    with DaskCrew(cluster.address, "auto") as made:
        yield made


@pytest.fixture
def fragile(tmp_path, request) -> Iterator[Cluster]:
    """A scheduler of one's own, without workers."""
    made = Cluster(tmp_path / "fragile", warm=True, allowed_failures=getattr(request, "param", 3))
    try:
        yield made
    finally:
        made.close()


# Who may compute


def test_workers_without_this_code_are_not_used(crew):
    crew.look(patience=PATIENCE_SECONDS)
    assert len(crew.workers) == 2
    said = crew.said()
    assert len(said) == 3
    assert sum("is not used: it has other code of this package (machine " in s for s in said) == 1
    assert (
        sum(
            "is not used: it cannot load this version" in s and "No module named" in s for s in said
        )
        == 1
    )
    assert sum(f" has torch {OTHER_TORCH}, as its records say" in s for s in said) == 1


def test_records_say_which_packages_computed_them(crew, store):
    jobs = [add(n) for n in range(100, 120)]
    assert compute(jobs, store, crew) == [["adding", 20, 20]]
    found = records(jobs, store)
    assert [record.value["sum"] for record in found] == list(range(100, 120))
    who = {(r.value["process"], r.provenance["packages"]["torch"]) for r in found}
    assert len(who) == 2
    assert {version for _, version in who} == {software()["packages"]["torch"], OTHER_TORCH}
    assert os.getpid() not in {process for process, _ in who}
    assert {record.value["threads"] for record in found} == {1}


def test_only_this_machine_is_listened_on(cluster, crew):
    crew.wait_for_workers()
    assert cluster.listening() == {LOOPBACK}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_workers_without_the_device_are_not_used(cluster):
    with DaskCrew(cluster.address, "cuda") as crew:
        crew.look(patience=PATIENCE_SECONDS)
        assert sum("device='cuda' cannot be used here" in each for each in crew.said()) == 2
        assert crew.workers == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_groups_do_not_go_to_workers_that_fit_another_run_alone(cluster, store, monkeypatch):
    """Those without the device, which take the groups of a run that does not ask for it."""
    monkeypatch.setattr(dask_owner, "GONE_SECONDS", 1.0)
    monkeypatch.setattr(dask_owner, "LOOK_SECONDS", 0.1)
    with DaskCrew(cluster.address, "auto") as crew:
        crew.wait_for_workers()
    with DaskCrew(cluster.address, "cuda") as crew:
        crew.look(patience=PATIENCE_SECONDS)
        with pytest.raises(RunError, match="no worker that can be used"):
            compute([add(1)], store, crew)


def test_workers_without_a_package_are_not_used(cluster, store, monkeypatch):
    """Though they have taken groups of a run that needs none."""
    monkeypatch.setattr(dask_owner, "GONE_SECONDS", 1.0)
    monkeypatch.setattr(dask_owner, "FIRST_SECONDS", 1.0)
    monkeypatch.setattr(dask_owner, "LOOK_SECONDS", 0.1)
    job = add(1)
    picky = replace(job, recipe=replace(job.recipe, packages=("no_such_package",)))
    with DaskCrew(cluster.address, "auto") as crew:
        crew.wait_for_workers()
        with pytest.raises(RunError, match="is not used: the package no_such_package is not"):
            compute([picky], store, crew)
        compute([job], store, crew)


def test_workers_that_fit_may_come_after_others(fragile, tmp_path, store):
    fragile.start_worker_of("none", useless_package(tmp_path / "no-package"))
    fragile.wait()
    told = []

    def come(line: str) -> None:
        told.append(line)
        fragile.start_workers("one")

    with DaskCrew(fragile.address, "auto") as crew:
        crew.wait_for_workers(say=come)
        assert len(crew.workers) == 1
    (line,) = told
    assert line.startswith("waiting 60 s for workers that can be used: tcp://")


def test_a_frozen_worker_holds_nobody_up(fragile, store):
    process, _ = fragile.start_workers("frozen", "one")
    fragile.wait()
    os.kill(process, signal.SIGSTOP)
    with DaskCrew(fragile.address, "auto") as crew:
        compute([add(n) for n in range(4)], store, crew)
        assert len(crew.workers) == 1
        (line,) = crew.said()
        assert line.endswith(" has not answered yet")


def test_code_is_the_same_whatever_ends_its_lines(tmp_path):
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "b.py"
    file.write_bytes(b"one\ntwo\n")
    first = dask_hello.code_hash(tmp_path)
    file.write_bytes(b"one\r\ntwo\r\n")
    assert dask_hello.code_hash(tmp_path) == first
    file.write_bytes(b"one\ntwo\n\n")
    second = dask_hello.code_hash(tmp_path)
    file.rename(tmp_path / "b.py")
    assert len({first, second, dask_hello.code_hash(tmp_path)}) == 3


# The same records


@pytest.fixture(scope="module")
def images(cluster, tmp_path_factory) -> str:
    """Images of six pixels in three classes; workers have the file in folders of their own."""
    path = write_six_pixels(tmp_path_factory.mktemp("data") / "small.npz")
    for worker in ("one", "two"):
        (cluster.folder / worker / "images").mkdir()
        shutil.copy(path, cluster.folder / worker / "images")
    # what the owner alone can see
    path = Path(shutil.move(path, tmp_path_factory.mktemp("owner") / "small.npz"))
    return str(path)


def test_records_are_those_of_one_machine(images, crew, store, tmp_path):
    p = SimpleNamespace(
        n_networks=2, epochs=1, pruning_epochs=1, dropout_rate=0.5, seed=0, data_folder="",
        dataset_settings={images: {"batch_size": 10}},
    )  # fmt: skip
    jobs = [job for each in network.conditions(p, [images], [True]) for job in each.jobs]
    settings = {"n_clusters": 2, "seed": 0}
    jobs += [clustering.job(job, "before", **settings) for job in jobs[:2]]
    jobs += [
        shuffle_test.job(job, "after", mode="layer", n_shuffles=3, **settings) for job in jobs[:2]
    ]
    shown = compute(jobs, store, crew)
    assert [[total, done] for _, total, done in shown] == [[2, 2], [4, 4]]
    alone = RecordStore(tmp_path / "alone")
    compute(jobs, alone, LocalCrew())
    # nothing but records and kept weights, of the same names
    names = [sorted(p.relative_to(s.cache) for p in s.cache.rglob("*.*")) for s in (store, alone)]
    assert names[0] == names[1]
    for job, there, here in zip(jobs, records(jobs, store), records(jobs, alone), strict=True):
        assert there.key == here.key == job.key
        assert there.provenance["commit"] == here.provenance["commit"]
        assert agrees(job, there, here)


def test_kept_arrays_travel(crew, store):
    one = add(1)
    jobs = [one, add(2, one, kept="k")]
    compute(jobs, store, crew)
    assert [record.value["sum"] for record in records(jobs, store)] == [1, 4]


def test_images_that_a_worker_lacks(crew, store, tmp_path, images):
    away = tmp_path / "away.npz"
    shutil.copy(images, away)
    job = look(Images(str(away), datasets.train_hash(away)))
    away.unlink()
    with pytest.raises(DataError, match=r"away\.npz.*\(On the worker tcp://127\.0\.0\.1:"):
        compute([job], store, crew)


def test_images_of_another_content_are_refused(crew, store, images):
    with pytest.raises(DataError, match=r"allowed: 000000000000\.\.\., the images that"):
        compute([look(Images(images, "0" * 64))], store, crew)


def test_a_worker_looks_in_its_own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("MODCLUST_DATA", str(tmp_path))
    there = Images("mnist", "x", folder="/nowhere/of/the/owner")
    assert own_images(there).folder is None
    assert own_images(Images("mnist", "x", folder=str(tmp_path))).folder == str(tmp_path)
    assert own_images(Images("/nowhere/mine.npz", "x")).dataset == str(tmp_path / "mine.npz")


# Errors, kills and losses


def test_an_error_ends_the_run_and_keeps_what_was_done(crew, store):
    with pytest.raises(ZeroDivisionError, match="unlucky"):
        compute([add(1), add(13)], store, crew)
    compute([add(1)], store, crew)
    assert records([add(1)], store)[0].value["sum"] == 1


@pytest.mark.parametrize("where", ["elsewhere", "here"])
def test_an_error_that_cannot_be_sent_keeps_its_words(where, request, store):
    crew = request.getfixturevalue("crew") if where == "elsewhere" else LocalCrew()
    with pytest.raises(RuntimeError, match=r"^OddError: an odd number: 17"):
        compute([add(17), add(1)], store, crew)


def test_an_error_says_on_which_worker(crew, store):
    with pytest.raises(ZeroDivisionError) as error:
        compute([add(13)], store, crew)
    assert error.value.__notes__[0].startswith("(On the worker tcp://127.0.0.1:")


def test_results_that_have_come_are_given_before_an_error():
    done, gone = SimpleNamespace(index=1), SimpleNamespace(is_there=False)
    round_ = Round(gone, Bars(), 0.1)
    packet = SimpleNamespace(n_steps=0)
    round_.under_way = {n: SimpleNamespace(packet=packet, count=lambda n: None) for n in (0, 1)}
    round_.came.put(_Back(0, None, ZeroDivisionError("unlucky")))
    round_.came.put(_Back(1, done, None))
    assert [round_.wait(), round_.wait()] == [None, done]
    round_.send(iter([None]))  # nothing goes out any more
    with pytest.raises(ZeroDivisionError, match="unlucky"):
        round_.wait()


def test_work_that_the_scheduler_drops_is_not_called_a_lost_scheduler(crew, store, tmp_path):
    from distributed import Future

    class Canceller(Bars):
        def update(self, steps: int) -> None:
            futures = [Future(key, crew.client) for key in list(crew.client.futures)]
            crew.client.cancel(futures, reason="by-hand")

    with pytest.raises(RunError, match=r"has dropped this work \(by-hand\)\. Everything done"):
        engine.compute([endless(tmp_path)], store, crew=crew, progress=Canceller())


def test_work_that_nobody_waits_for_ends(crew, store, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        engine.compute([endless(tmp_path)], store, crew=crew, progress=Bars(at_most=0))
    wait_for((tmp_path / "ended").is_file, "the end of the work")
    assert (tmp_path / "ended").read_text() == "nobody waits for this work any more"
    assert list(store) == []


def test_work_of_a_killed_worker_goes_on_elsewhere(fragile, store, tmp_path):
    fragile.start_workers("one", "two")
    fragile.wait()
    jobs = [count(n, tmp_path, kill_at=3 * (n == 1)) for n in range(4)]
    with DaskCrew(fragile.address, "auto") as crew:
        # no step is shown twice
        assert compute(jobs, store, crew) == [["counting", 20, 20]]
        crew.look()
        assert len(crew.workers) == 1
    found = records(jobs, store)
    assert [record.value["begun_at"] for record in found] == [0, 3, 0, 0]
    assert len(list(store)) == 4
    assert list((store.cache / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("fragile", [0], indirect=True)
def test_jobs_that_kill_their_workers_end_the_run(fragile, store, tmp_path):
    fragile.start_workers("one")
    fragile.wait()
    with (
        DaskCrew(fragile.address, "auto") as crew,
        pytest.raises(RunError, match=r"counting: 1 workers? died at the same jobs.*memory"),
    ):
        compute([count(1, tmp_path, kill_at=2)], store, crew)


def test_a_lost_scheduler_ends_the_run_which_goes_on_without_it(fragile, store, tmp_path):
    fragile.start_workers("one")
    fragile.wait()
    jobs = [count(0, tmp_path), count(1, tmp_path, kill_at=3, process=fragile.scheduler.pid)]
    with DaskCrew(fragile.address, "auto") as crew:
        compute(jobs[:1], store, crew)
        with pytest.raises(RunError, match=r"the scheduler at tcp://.* is gone\. Everything done"):
            compute(jobs, store, crew)
    assert records(jobs[:1], store)[0].value["begun_at"] == 0
    assert compute(jobs, store, LocalCrew()) == [["counting", 5, 5]]
    # what the worker had sent before was with the owner
    (went_on,) = records(jobs[1:], store)
    assert went_on.value == {"begun_at": went_on.value["begun_at"], "process": os.getpid()}
    assert went_on.value["begun_at"] in (1, 2, 3)


def test_a_worker_that_comes_when_all_have_gone_takes_their_work(fragile, store, tmp_path):
    (process,) = fragile.start_workers("one")
    fragile.wait()

    def replace_it() -> None:
        wait_for(lambda: not psutil.pid_exists(process), "the end of the worker")
        fragile.start_workers("two")

    successor = threading.Thread(target=replace_it)
    successor.start()
    with DaskCrew(fragile.address, "auto") as crew:
        assert compute([count(1, tmp_path, kill_at=2)], store, crew) == [["counting", 5, 5]]
    successor.join()


def test_workers_that_all_go_end_the_run(fragile, store, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_owner, "GONE_SECONDS", 0.0)
    monkeypatch.setattr(dask_owner, "LOOK_SECONDS", 0.1)
    fragile.start_workers("one")
    fragile.wait()
    with (
        DaskCrew(fragile.address, "auto") as crew,
        pytest.raises(RunError, match="no worker that can be used: none is there"),
    ):
        compute([count(1, tmp_path, kill_at=2)], store, crew)


# The ways in


@pytest.fixture
def book(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MODCLUST_ROOT", str(tmp_path / "book"))
    monkeypatch.setenv(SCHEDULER_VARIABLE, "")
    return copy_book(tmp_path / "book")


@pytest.fixture
def ran(book, monkeypatch) -> list[str]:
    """The schedulers that the kernels of runs would have found."""
    found: list[str] = []

    def run_chapter(*_: object, **__: object) -> RunInfo:
        found.append(os.environ[SCHEDULER_VARIABLE])
        return RunInfo(book, {})

    monkeypatch.setattr(cli, "run_chapter", run_chapter)
    return found


def test_the_command_says_who_computes(cluster, ran, capsys):
    assert cli.main(["run", "1", "--scheduler", cluster.address]) == 0
    assert ran == [cluster.address]
    out = capsys.readouterr().out
    assert f"--- scheduler {cluster.address}: 2 workers\n" in out
    assert "is not used: it has other code of this package" in out
    assert out.index("is not used") < out.index("==> chapter 1, run quick")


def test_a_whole_chapter_gives_the_records_of_one_machine(cluster, book, tmp_path, capsys):
    """The command, a kernel, workers that have the images in folders of their own, a page."""
    images = write_data(tmp_path / "columns.npz", n_train=400, n_test=80)
    for worker in ("one", "two"):
        folder = cluster.folder / worker / "images"
        folder.mkdir(exist_ok=True)
        shutil.copy(images, folder)
    settings = {str(images): {"batch_size": 100, "pruning_interval": 1}}
    words = {
        "datasets": [str(images)], "dataset_settings": settings, "n_networks": 2, "epochs": 1,
        "pruning_epochs": 1, "n_clusters": 3, "more_clusters": [2], "n_shuffles": 2, "n_random": 2,
    }  # fmt: skip
    typed = [word for name, v in words.items() for word in ("-p", name, json.dumps(v))]
    assert cli.main(["run", "1", *typed, "--scheduler", cluster.address]) == 0
    assert "Its page is in " in capsys.readouterr().out
    (info,) = read_runs(1)
    assert info.is_fresh
    planned = plan(1, SimpleNamespace(**info.status["parameters"]))
    jobs = list(engine.planned(planned).values())
    there, alone = RecordStore(book / "data" / "cache"), RecordStore(tmp_path / "alone")
    compute(jobs, alone, LocalCrew())
    files = [sorted(p.relative_to(s.cache) for p in s.cache.rglob("*.*")) for s in (there, alone)]
    assert files[0] == files[1]
    assert len(files[0]) > len(jobs)
    for job, far, here in zip(jobs, records(jobs, there), records(jobs, alone), strict=True):
        assert agrees(job, far, here)
    versions = {record.provenance["packages"]["torch"] for record in records(jobs, there)}
    assert versions <= {software()["packages"]["torch"], OTHER_TORCH}


def agrees(job: Job, far: Record, here: Record) -> bool:
    """Whether a record of a worker is that of this machine: equal, or within the tolerance of
    `verify` and made from the same records."""
    equal = (far.value, far.arrays_sha256) == (here.value, here.arrays_sha256)
    if equal or job.recipe.agree is None:
        return equal
    found = job.recipe.agree(here, Value(far.value, far.arrays))[0]
    return far.made_from == here.made_from and bool(found)


def test_a_run_computes_where_the_variable_says(cluster, book, monkeypatch):
    jobs = [add(1), add(2)]
    monkeypatch.setattr(session, "plan", lambda *_: {"all": jobs})
    monkeypatch.setenv(SCHEDULER_VARIABLE, cluster.address)
    values = parameters.read_schema(chapter_notebook(1)).check({})
    run = session.start(1, values)
    assert os.getpid() not in set(run.compute()["all"]["process"])
    # what is there needs no scheduler
    monkeypatch.setenv(SCHEDULER_VARIABLE, "tcp://127.0.0.1:1")
    assert run.compute()["all"]["sum"].tolist() == [1, 2]


def test_without_a_scheduler_this_machine_computes(ran, capsys, monkeypatch):
    monkeypatch.setenv(SCHEDULER_VARIABLE, "tcp://127.0.0.1:1")
    # an empty one takes the place of the variable
    assert cli.main(["run", "1", "--scheduler", ""]) == 0
    assert ran == [""]
    assert "--- scheduler" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "address",
    ["here", "127.0.0.1:8786", "http://127.0.0.1:8786", "tcp://127.0.0.1", "tcp://a b:1",
     "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:8786/x", "tcp://:8786"],
)  # fmt: skip
@pytest.mark.parametrize("way", ["option", "variable"])
def test_what_is_no_address(ran, capsys, monkeypatch, address, way):
    monkeypatch.setenv(SCHEDULER_VARIABLE, address if way == "variable" else "")
    assert cli.main(["run", "1", *(["--scheduler", address] if way == "option" else [])]) == 2
    err = capsys.readouterr().err
    assert err == f"modclust: scheduler={address!r} is not allowed: {dask_address.ALLOWED}\n"
    assert ran == []


def test_nobody_at_an_address(ran, capsys):
    assert cli.main(["run", "1", "--scheduler", "tcp://127.0.0.1:1"]) == 1
    err = capsys.readouterr().err
    assert "'tcp://127.0.0.1:1' does not answer as a Dask scheduler" in err
    assert "Start one with `dask scheduler`" in err
    assert ran == []


def test_somebody_else_at_an_address(ran, capsys, host, monkeypatch):
    monkeypatch.setattr(dask_address, "ANSWER_SECONDS", 0.5)
    assert cli.main(["run", "1", "--scheduler", host]) == 1
    assert "does not answer as a Dask scheduler (timed out)" in capsys.readouterr().err
    assert ran == []


@pytest.fixture
def host() -> Iterator[str]:
    """The address of a server that waits to be spoken to."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield f"tcp://{LOOPBACK}:{server.getsockname()[1]}"


def greet(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            with server.accept()[0] as connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                while connection.recv(1024):
                    """It waits until the other one has gone."""


@pytest.mark.parametrize("who", ["greeter", "worker", "tls"])
def test_what_is_no_scheduler_is_said_at_once(cluster, ran, capsys, who):
    with socket.create_server((LOOPBACK, 0)) as server:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        addresses = {
            "greeter": f"tcp://{LOOPBACK}:{server.getsockname()[1]}",
            "worker": cluster.worker_address(),
            "tls": cluster.address.replace("tcp", "tls"),
        }
        begun = time.monotonic()
        assert cli.main(["run", "1", "--scheduler", addresses[who]]) == 1
        assert time.monotonic() - begun < dask_address.ANSWER_SECONDS + dask_owner.FIRST_SECONDS
    (line,) = capsys.readouterr().err.splitlines()
    says = {"greeter": "(", "worker": "(it is a Worker)", "tls": "(tls needs certificates"}
    assert f"{addresses[who]!r} does not answer as a Dask scheduler {says[who]}" in line
    assert ran == []


def test_a_scheduler_without_workers(fragile, ran, capsys, monkeypatch):
    monkeypatch.setattr(dask_owner, "FIRST_SECONDS", 0.0)
    assert cli.main(["run", "1", "--scheduler", fragile.address]) == 1
    assert "has no worker that can be used: none is there" in capsys.readouterr().err
    assert ran == []


def test_distributed_is_not_installed(ran, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["run", "1", "--scheduler", "tcp://127.0.0.1:1"]) == 1
    err = capsys.readouterr().err
    assert "needs the package distributed, which is not installed" in err
    assert "pip install distributed" in err
    assert ran == []
