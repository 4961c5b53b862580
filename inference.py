"""Predicts the best classes of clips, and writes them as the starter code's CSV or in other formats.

    python inference.py --train_dir=runs/LstmModel --input_data_pattern='eval/*.tfrecord' --output_file=predictions.csv
    python inference.py --train_dir=runs/a,runs/b --ensemble=logits --input_data_pattern=... --output_file=both.parquet
    python inference.py --train_dir=runs/a --input_data_pattern=... --output_file=preds-@16.csv --worker=0/4

Model and features are those of the run; eval.py need not have run before. An interrupted command, typed again, goes on
where it was, and its files are the same ones to the byte.
"""

from yt8m_audio import flags


def main(argv) -> int:
    """Parses flags, and predicts."""
    asked = flags.parse_script(argv, "Predicts the best classes of clips.", flags.InferenceFlags)
    flags.quieten_tensorflow()

    from yt8m_audio.commands import inference

    return inference.predict_to_file(asked)


if __name__ == "__main__":
    flags.run(main, needs_tensorflow=False)  # not to say what flags there are
