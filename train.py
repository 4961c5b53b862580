"""Trains a model on feature records, and leaves a run directory.

    python train.py --frame_features --model=LstmModel
    python train.py --train_data_pattern='bal_train/*.tfrecord' --frame_features --model=LstmModel

Type the same command again to resume. --help lists all flags, those of the model given by --model among them.
"""

from yt8m_audio import flags


def main(argv) -> int:
    """Parses flags, makes data and model, and trains."""
    request = flags.parse_train(argv)

    from yt8m_audio.commands import assemble, training_report
    from yt8m_audio.training.loop import train
    from yt8m_audio.training.strategy import make_strategy
    from yt8m_audio.training.workers import Workers

    strategy = make_strategy(request.devices)
    workers = Workers(strategy)
    with workers.loss_named():
        config, *clips = assemble.prepare(request)
        config = workers.same_settings(config, len(clips[0]))
        changes = assemble.check_resumable(request, config)
        clips = assemble.cached(config, *clips)
        loss, teacher = assemble.make_label_loss(request, config, clips[0]), assemble.open_teacher(config, clips[0])
        assemble.check_run(request, config, len(clips[0]), strategy)
        training_report.begin(request, config, changes, loss, workers)
        training_report.show(config, *clips, request.run, teacher, workers)
        model = assemble.make_model_of(config)
        summary = train(config, model, *clips, request.run, loss=loss, teacher=teacher, strategy=strategy)
        return training_report.end(request.run, config, summary, workers)


if __name__ == "__main__":
    flags.run(main)
