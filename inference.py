"""Predicts the top-k labels of clips, and writes them as the starter code's CSV.

    python inference.py --train_dir=runs/LstmModel --input_data_pattern='eval/*.tfrecord' --output_file=predictions.csv

Model and features are those of the run; eval.py need not have run before.
"""

from yt8m_audio import flags


def main(argv) -> int:
    """Parses flags, and predicts."""
    asked = flags.parse_script(argv, "Predicts the top-k labels of clips.", flags.InferenceFlags)

    from yt8m_audio.commands import inference

    return inference.predict_to_file(asked)


if __name__ == "__main__":
    flags.run(main)
