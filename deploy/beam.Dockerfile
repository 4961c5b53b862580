# The image of Beam's workers, on Dataflow, Flink or Spark: Beam's own, with TensorFlow and this project. From the
# repository's root:
#
#     docker build -f deploy/beam.Dockerfile -t REGISTRY/yt8m-audio-beam .
#     docker push REGISTRY/yt8m-audio-beam
#
# Whoever starts the pipeline needs the same Python (3.11) and the same Beam (2.77.0): profile `beam`. Not built here,
# which takes a Docker daemon.
FROM apache/beam_python3.11_sdk:2.77.0

WORKDIR /app
COPY requirements/beam.txt requirements/
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements/beam.txt

COPY pyproject.toml README.md LICENSE NOTICE ./
COPY models/ models/
COPY readers/ readers/
COPY yt8m_audio/ yt8m_audio/
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .
ENV TF_CPP_MIN_LOG_LEVEL=3
