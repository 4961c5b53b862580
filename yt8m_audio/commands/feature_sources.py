"""Which embedding the features of some clips came from, and that a run is fed no other.

    config = with_source(config, clips, None)       # in training: into the run's config.json
    check_source(data, clips, "eval_data_pattern") # a UserError where the records' note says something else

Records without a note, such as AudioSet's own, are taken as they are.
"""

import dataclasses
import os

from readers import Clips
from readers.stores import ArrayStore, SegmentStore
from yt8m_audio.config import Config, DataConfig
from yt8m_audio.feature_source import FeatureSource, check_same, feature_source_of
from yt8m_audio.run_directory import RunDirectory


def source_of(clips: Clips) -> FeatureSource | None:
    """What is noted beside some clips; None where nothing is, or they lie on another machine.

    Raises:
        UserError: if notes differ or cannot be read.
    """
    store = clips.store.records if isinstance(clips.store, SegmentStore) else clips.store
    if isinstance(store, ArrayStore):
        return feature_source_of([os.path.join(store.about, "features.npy")])
    return feature_source_of(store.shards.paths)


def source_of_run(data: DataConfig) -> FeatureSource | None:
    """What a run's settings say; None of a run from before there were notes, or of records without one."""
    return FeatureSource(**data.feature_source) if data.feature_source else None


def check_source(data: DataConfig, clips: Clips, flag: str) -> None:
    """Raises a UserError where the clips that a flag names are of another source than a run's settings say."""
    known, other = source_of_run(data), source_of(clips)
    if known is not None and other is not None:
        check_same(known, other, f"--{flag}")


def with_source(config: Config, clips: Clips, resumed: Config | None) -> Config:
    """Settings of a run that say where its features come from.

    Args:
        config: the settings.
        clips: to train on.
        resumed: settings of the run that is gone on with, or None.

    Raises:
        UserError: if that run, or the one that it begins with, was trained on features of another source.
    """
    found = source_of(clips)
    if resumed is not None:
        check_source(resumed.data, clips, "train_data_pattern")
        found = source_of_run(resumed.data) or found
    elif config.train.init_from and found is not None:
        known = source_of_run(RunDirectory(config.train.init_from).load_config().data)
        if known is not None:
            check_same(known, found, "--train_data_pattern", f"the run of --init_from={config.train.init_from}")
    noted = None if found is None else dataclasses.asdict(found)
    return dataclasses.replace(config, data=dataclasses.replace(config.data, feature_source=noted))
