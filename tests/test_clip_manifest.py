"""Lists of segments, the names of their files, and the manifest."""

import re
import sqlite3
from pathlib import Path

import pytest

from yt8m_audio.audioset.clips.folder import (
    FolderSettings,
    keep_settings,
    manifest_path,
    manifest_paths,
    merge_into,
    newer_shards,
    parse_shard,
)
from yt8m_audio.audioset.clips.layouts import LAYOUTS, clip_file
from yt8m_audio.audioset.clips.losses import Losses
from yt8m_audio.audioset.clips.manifest import DONE, FAILED, SHORT, WAITING, Clip, Manifest
from yt8m_audio.audioset.clips.media import SoundFormat
from yt8m_audio.audioset.clips.plan import plan_of
from yt8m_audio.audioset.clips.reasons import Reason
from yt8m_audio.audioset.clips.segment import Segment, list_name_of, read_list, share_of
from yt8m_audio.commands import clip_upkeep as upkeep
from yt8m_audio.errors import UserError

LINES = """# Segments csv created Sun Mar  5 10:54:25 2017
# YTID, start_seconds, end_seconds, positive_labels
--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_"

-BfvyPmVMoX, 20.250, 30.000, "/m/03l9g"
"""
SEGMENTS = [
    Segment("eval", "--4gqARaEJE", 0, 10_000, "/m/068hy,/m/07q6cd_"),
    Segment("eval", "-BfvyPmVMoX", 20_250, 30_000, "/m/03l9g"),
]


@pytest.fixture
def manifest(tmp_path):
    with Manifest.create(tmp_path / "manifest.sqlite") as made:
        yield made


def listed(tmp_path, text, name="eval.csv"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def made(count, name="eval", **fields):
    return [Segment(name, f"{number:011d}", 0, 10_000, **fields) for number in range(count)]


def test_a_list_as_audioset_has_it(tmp_path):
    assert list(read_list(listed(tmp_path, LINES))) == SEGMENTS


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("../../etc/pas, 0, 10", "'../../etc/pas' is no id"),
        ("$(rm -rf ~)x, 0, 10", "is no id"),
        ("--4gqARaEJE\x00, 0, 10", "is no id"),
        ("--4gqARaEJEE, 0, 10", "is no id"),
        ("--4gqARaEJE, ten, 10", "'ten' is no time"),
        ("--4gqARaEJE, nan, 10", "'nan' is no time"),
        ("--4gqARaEJE, -1, 10", "'-1' is no time"),
        ("--4gqARaEJE, 10, 10", "has no length"),
        ("--4gqARaEJE, 0", "found 2 columns"),
        ("--4gqARaEJE, 0, 10, a, b", "found 5 columns"),
        (f"{'A' * 100_000}, 0, 10", f"'{'A' * 40}' is no id"),
        ('--4gqARaEJE, 0, 10, "a' + "\n" * 200_000, "a quote may not be closed"),
    ],
    ids=lambda text: text[:20],
)
def test_a_malformed_line_is_named(tmp_path, line, what):
    path = listed(tmp_path, f"{LINES}{line}\n")
    with pytest.raises(UserError, match=re.escape(f"{path}, line 6: ") + f".*{re.escape(what)}"):
        list(read_list(path))


def test_a_list_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot be read as a list of segments: No such file"):
        list(read_list(str(tmp_path / "no.csv")))
    with pytest.raises(UserError, match="it holds none"):
        list(read_list(listed(tmp_path, "# nothing\n")))


def test_a_byte_order_mark_is_passed_over(tmp_path):
    assert list(read_list(listed(tmp_path, f"\ufeff{LINES}"))) == SEGMENTS


def test_shards_part_a_list_by_video(tmp_path):
    text = "".join(f"{number:011d}, {start}, 90\n" for number in range(200) for start in (1, 2))
    path = listed(tmp_path, text)
    parts = [set(read_list(path, (index, 3))) for index in range(3)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 400
    assert all(share_of(each.video_id, 3) == index for index, part in enumerate(parts) for each in part)
    assert min(map(len, parts)) > 80


@pytest.mark.parametrize("text", ["3/3", "1", "-1/3", "a/b", "0/0"])
def test_a_shard_that_is_none(text):
    with pytest.raises(UserError, match="--shard="):
        parse_shard(text)


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("audiosetdl", "data/eval/audio/--4gqARaEJE_0_10000.flac"),
        ("panns", "audios/eval/Y--4gqARaEJE.flac"),
        ("flat", "--4gqARaEJE_0_10000.flac"),
    ],
)
def test_layouts(layout, name):
    assert clip_file(Path("out"), layout, SEGMENTS[0], "flac") == Path("out", name)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("list_name", ["..", "/etc", "a/../../b", "", ".hidden", "-rf"])
def test_no_list_names_a_file_outside(tmp_path, layout, list_name):
    file = clip_file(tmp_path, layout, SEGMENTS[0]._replace(list_name=list_name), "flac", "video")
    assert file.resolve().is_relative_to(tmp_path.resolve())
    assert not any(part.startswith(("-", ".")) for part in file.relative_to(tmp_path).parts[:-1])
    with pytest.raises(ValueError):
        clip_file(tmp_path, layout, SEGMENTS[0]._replace(video_id="../../../xx"), "flac")


def test_the_name_of_a_list():
    assert list_name_of("/data/eval segments (1).csv") == "eval_segments_1_"


def test_rows_are_added_once_and_keep_what_became_of_them(manifest):
    assert manifest.add(SEGMENTS) == 2
    manifest.record([Clip(SEGMENTS[0], DONE, samples=480_000, bytes=7, sha256="ab")])
    assert manifest.add([*SEGMENTS, SEGMENTS[0]._replace(start_ms=5_000)]) == 1
    assert {(each.state, each.clips, each.bytes) for each in manifest.counts()} == {(DONE, 1, 7), (WAITING, 2, 0)}
    assert [clip.samples for clip in manifest.clips((DONE,))] == [480_000]


def test_a_list_with_a_fault_adds_nothing(manifest, tmp_path):
    with pytest.raises(UserError, match="line 6"):
        manifest.add(read_list(listed(tmp_path, f"{LINES}x, 1, 2\n")))
    assert manifest.counts() == []


def test_due_are_those_whose_time_has_come(manifest):
    manifest.add(made(4))
    rows = [Clip(each, WAITING, attempts=1, next_try=number * 10.0) for number, each in enumerate(made(4))]
    manifest.record([*rows[:3], rows[3]._replace(state=FAILED)])
    assert [clip.next_try for clip in manifest.due(now=10.0, limit=9)] == [0.0, 10.0]
    assert manifest.next_try() == 0.0
    assert len(manifest.due(now=1e9, limit=2)) == 2


def test_what_is_tried_again(manifest):
    states = {Reason.NETWORK: FAILED, Reason.PRIVATE: FAILED, Reason.TOO_SHORT: SHORT, Reason.AGE: FAILED}
    manifest.add(made(4))
    rows = zip(made(4), states.items(), strict=True)
    manifest.record([Clip(each, state, reason, attempts=6) for each, (reason, state) in rows])
    assert manifest.retry([Reason.NETWORK, Reason.TOO_SHORT]) == 2
    assert {clip.reason: clip.attempts for clip in manifest.clips((WAITING,))} == {"network": 0, "too_short": 0}


def test_chunks_are_all_rows_once_though_they_change(manifest):
    manifest.add([*made(300), *made(300, "train")])
    manifest.record([Clip(each, DONE) for each in [*made(300), *made(300, "train")]])
    seen = []
    for chunk in manifest.chunks((DONE,)):
        seen += [clip.segment for clip in chunk]
        manifest.record([clip._replace(state=WAITING) for clip in chunk])
    assert len(seen) == len(set(seen)) == 600


def test_merging_keeps_what_got_furthest(tmp_path):
    rows = {"a": [DONE, FAILED, WAITING], "b": [FAILED, WAITING, SHORT]}
    for name, states in rows.items():
        with Manifest.create(tmp_path / f"{name}.sqlite") as one:
            one.add(made(3))
            one.record([Clip(each, state, attempts=1) for each, state in zip(made(3), states, strict=True)])
    paths = [tmp_path / "a.sqlite", tmp_path / "b.sqlite"]
    for order in (paths, paths[::-1]):
        out = tmp_path / order[0].stem
        merge_into(out, order)
        with Manifest.open(out / "manifest.sqlite") as whole:
            assert [clip.state for clip in sorted(whole.clips())] == [DONE, FAILED, SHORT]
    assert merge_into(out, paths) == 0


@pytest.mark.parametrize(
    "change",
    [
        "video_id = '../../../x'",
        "video_id = '--4gqARaEJE' || char(10)",
        "start_ms = 'a'",
        "start_ms = -1",
        "end_ms = 0",
        "labels = NULL",
        "state = 'odd'",
        "reason = 'odd'",
        "attempts = 'x'",
        "sha256 = x'00'",
    ],
)
def test_a_row_that_no_run_writes_is_taken_from_nowhere(manifest, tmp_path, change):
    manifest.add(SEGMENTS[:1])
    with manifest.connection as connection:
        connection.execute(f"UPDATE clips SET {change}")
    with pytest.raises(UserError, match=r"manifest\.sqlite holds a row of the video .*, as no run writes"):
        merge_into(tmp_path / "out", [manifest.path])
    assert not (tmp_path / "out" / "manifest.sqlite").exists()


@pytest.mark.parametrize("made", ["VIEW v AS SELECT 1", "TRIGGER t DELETE ON clips BEGIN SELECT 1; END"])
def test_a_manifest_holds_no_program(manifest, made):
    manifest.connection.execute(f"CREATE {made}")
    with pytest.raises(UserError, match="holds views or triggers"):
        Manifest.open(manifest.path)


def test_another_version_is_left_as_it_is(manifest):
    manifest.keep("version", 2)
    for opened in (Manifest.open, Manifest.create):
        with pytest.raises(UserError, match="of version 2: this program reads 1"):
            opened(manifest.path)


@pytest.mark.parametrize("change", [{"format": "flac/../../x"}, {"layout": 7}, {"sample_rate": None}, {"video": ...}])
def test_settings_that_there_are_not(manifest, change):
    settings = {**FolderSettings().flags(), **change}
    manifest.keep("settings", {name: each for name, each in settings.items() if each is not ...})
    with pytest.raises(UserError, match="holds settings that there are not"):
        FolderSettings.of(manifest)


def sharded(out, states):
    """Two shards with two clips each, and what a merge makes of them."""
    for index in range(2):
        with Manifest.create(manifest_path(out, (index, 2))) as shard:
            keep_settings(shard, FolderSettings())
            shard.add(made(4)[2 * index : 2 * index + 2])
            shard.record([Clip(clip.segment, *state) for clip, state in zip(shard.clips(), states, strict=True)])
    upkeep.merge(["clips merge", str(out)])


def states(out):
    """Of all rows of all manifests, sorted."""
    found = []
    for path in sorted(out.glob("manifest*.sqlite")):
        with Manifest.open(path) as one:
            found += [clip.state for clip in one.clips()]
    return sorted(found)


def test_what_is_tried_again_waits_in_the_shards_too(tmp_path, capsys):
    sharded(tmp_path, [(FAILED, Reason.PRIVATE), (FAILED, Reason.AGE)])
    upkeep.retry(["clips retry", str(tmp_path), "--reason=private"])
    assert "2 clips wait to be tried again" in capsys.readouterr().out
    assert states(tmp_path) == [FAILED] * 4 + [WAITING] * 4


def test_what_is_damaged_waits_in_the_shards_too(tmp_path):
    sharded(tmp_path, [(DONE,), (FAILED, Reason.AGE)])
    assert upkeep.verify(["clips verify", str(tmp_path)]) == 1
    assert states(tmp_path) == [FAILED] * 4 + [WAITING] * 4


def test_a_merge_that_fails_hides_no_shard(tmp_path):
    sharded(tmp_path, [(DONE,), (DONE,)])
    manifest_path(tmp_path).unlink()
    with pytest.raises(UserError, match=r"other\.sqlite is not there"):
        upkeep.merge(["clips merge", str(tmp_path), str(tmp_path / "other.sqlite")])
    assert len(manifest_paths(tmp_path)) == 2


def test_other_settings_are_refused(manifest):
    keep_settings(manifest, FolderSettings())
    assert FolderSettings.of(manifest) == FolderSettings()
    with pytest.raises(UserError, match="holds clips with --sample_rate=48000, --sample_rate=16000 was asked for"):
        keep_settings(manifest, FolderSettings(sound=SoundFormat(sample_rate=16_000)))


def test_the_manifests_of_a_folder(tmp_path):
    with pytest.raises(UserError, match="holds no manifest of clips"):
        manifest_paths(tmp_path)
    shards = [manifest_path(tmp_path, (index, 2)) for index in range(2)]
    for path in shards:
        Manifest.create(path).connection.close()
    assert manifest_paths(tmp_path) == shards
    merge_into(tmp_path, shards)
    assert manifest_paths(tmp_path) == [manifest_path(tmp_path)]
    with Manifest.open(shards[1]) as shard:
        shard.add(SEGMENTS)
    assert newer_shards(tmp_path) == [shards[1]]


def test_several_segments_of_a_video(manifest):
    manifest.add([*SEGMENTS, SEGMENTS[0]._replace(list_name="train")])
    assert manifest.twice_named() is None
    manifest.add([SEGMENTS[0]._replace(start_ms=1)])
    assert manifest.twice_named() == "--4gqARaEJE"


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be taken for one", b""])
def test_a_file_that_is_no_manifest(tmp_path, content):
    path = tmp_path / "manifest.sqlite"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"manifest.sqlite (cannot be used as|is) a manifest"):
        Manifest.open(path)


def test_any_client_reads_it(manifest):
    manifest.add(SEGMENTS)
    rows = sqlite3.connect(manifest.path).execute("SELECT video_id, state FROM clips ORDER BY 1").fetchall()
    assert rows == [("--4gqARaEJE", "waiting"), ("-BfvyPmVMoX", "waiting")]


def test_many_rows_take_no_memory(manifest):
    segments = (Segment("eval", f"{number:011d}", 0, 10_000, "/m/09x0r") for number in range(50_000))
    assert manifest.add(segments) == 50_000
    assert manifest.counts()[0].clips == 50_000


def test_losses_by_class():
    states = [DONE] * 4 + [SHORT] + [FAILED] * 4 + [WAITING]
    clips = [
        Clip(Segment("eval", f"{n:011d}", 0, 1, "a,b" if n == 8 else "a"), state, Reason.AGE)
        for n, state in enumerate(states)
    ]
    losses = Losses.of(clips, {"a": "Bark"})
    first, second = losses.classes
    assert (first.name, first.lost, first.share_lost) == ("b", 1, 1.0)
    assert (second.name, second.had, second.short, second.waiting) == ("Bark", 5, 1, 1)
    assert second.share_lost == pytest.approx(4 / 9)
    assert second.widening == pytest.approx(2**0.5)
    assert losses.empty == [first]
    assert losses.reasons == {"age": 4}


def test_the_states_of_a_list(manifest):
    manifest.add([*made(3), *made(2, "train")])
    manifest.record([Clip(made(1)[0], DONE)])
    assert manifest.states_of(made(4)) == {DONE: 1, WAITING: 2}
    assert manifest.states_of(made(4, "other")) == {}


def test_a_plan():
    plan = plan_of(made(1000), over=100, sound=SoundFormat("wav", 16_000, 1), per_hour=300)
    assert (plan.segments, plan.videos_left, plan.hours, plan.days) == (1000, 900, 3.0, 0.125)
    assert plan.bytes == 1000 * 10 * 32_000
    assert plan_of(made(10), over=10, sound=SoundFormat(), per_hour=300, others=5).videos_left == 5
