# shellcheck shell=sh
# What TensorFlow 2.19 needs in the environment of a TPU VM to find the TPU. From the repository's root, in the shell
# that then trains (and not in one that evaluates or predicts: that is for the processor, with TPU_LOAD_LIBRARY=0):
#
#     . deploy/tpu_env.sh
#
# Without it TensorFlow 2.19.1 loads libtpu, but not as the PJRT plugin that a v5e is reached by. The variables are
# those of Keras' example for tensorflow-tpu 2.19.1 (keras.io/keras_rs/examples/distributed_embedding_tf) and of
# Google's tests of TensorFlow on v5e (github.com/GoogleCloudPlatform/ml-auto-solutions,
# dags/solutions_team/configs/tensorflow/common.py). On a TPU: not run. Without one, the plugin registers with them.
NEXT_PLUGGABLE_DEVICE_USE_C_API=true
TF_PLUGGABLE_DEVICE_LIBRARY_PATH=$(.venv-tpu/bin/python -c 'import libtpu; print(libtpu.get_library_path())')
TF_XLA_FLAGS="--tf_mlir_enable_mlir_bridge=true --tf_mlir_enable_convert_control_to_data_outputs_pass=true"
TF_XLA_FLAGS="$TF_XLA_FLAGS --tf_mlir_enable_merge_control_flow_pass=true"
export NEXT_PLUGGABLE_DEVICE_USE_C_API TF_PLUGGABLE_DEVICE_LIBRARY_PATH TF_XLA_FLAGS
