"""Evaluates a run's checkpoint, prints the metrics and writes them to RUN/eval/metrics.json.

    python eval.py --train_dir=runs/LstmModel --eval_data_pattern='eval/*.tfrecord'
    python eval.py --train_dir=runs/LstmModel --eval_data_pattern='eval/*.tfrecord' --run_once=false

Model and features are those of the run: nothing is repeated from training.
"""

from yt8m_audio import flags


def main(argv) -> int:
    """Parses flags, and evaluates once, or each new checkpoint."""
    asked = flags.parse_script(argv, "Evaluates a run's checkpoint.", flags.EvalFlags)

    from yt8m_audio.commands import evaluation

    evaluator = evaluation.Evaluator(asked)
    if asked.run_once:
        evaluator.evaluate_step(evaluator.checkpoints.step_of(asked.checkpoint))
    else:
        evaluator.watch()
    return 0


if __name__ == "__main__":
    flags.run(main)
