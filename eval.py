"""Evaluates a run's checkpoint, an exported model or a file of predictions: prints the metrics, and writes them.

    python eval.py --train_dir=runs/LstmModel --eval_data_pattern='eval/*.tfrecord'
    python eval.py --train_dir=runs/LstmModel --eval_data_pattern='eval/*.tfrecord' --run_once=false
    python eval.py --train_dir=runs/LstmModel --eval_data_pattern='eval/*.tfrecord' --bootstrap=1000 --report=report
    python eval.py --predictions=theirs.csv --eval_data_pattern=eval_segments.csv

Model and features are those of the run: nothing is repeated from training. Its figures go to RUN/eval/metrics.json.
"""

from yt8m_audio import flags


def main(argv) -> int:
    """Parses flags, and evaluates once, or the newest checkpoint whenever there is a new one."""
    about = "Evaluates a run's checkpoint, an exported model or a file of predictions."
    asked = flags.parse(argv, about, flags.EvalFlags, in_the_run=(flags.DataConfig, flags.ModelConfig))

    from yt8m_audio.commands import evaluation

    evaluation.run_eval(asked)
    return 0


if __name__ == "__main__":
    flags.run(main)
