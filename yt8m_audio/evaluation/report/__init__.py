"""The report of an evaluation: one HTML page that needs nothing else, the tables behind it, and a model card.

write_report(Path("report"), evaluated)  # report/index.html, classes.csv, ..., MODEL_CARD.md

class_table.py   figures of every class
confusions.py    classes that stand above one that is true
hardest.py       clips that the model understands least
curves.py        precision against recall, probabilities against what came true
content.py       all of it, as the page takes it
page.py          puts page.html, page.css and the scripts (*.js) together
model_card.py    MODEL_CARD.md
writing.py       writes the folder
"""

from yt8m_audio.evaluation.report.writing import check_folder, write_report

__all__ = ["check_folder", "write_report"]
