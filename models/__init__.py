"""Models: one file each, written in `keras` and `keras.ops` alone.

To add one, copy the file nearest to it, and name it here: its flags and its contract tests follow from the class.
"""

from models.attention_gru import AttentionGruModel
from models.attention_lstm import AttentionLstmModel
from models.base import FrameLevelModel, VideoLevelModel
from models.bi_gru import BiGruModel
from models.bi_lstm import BiLstmModel
from models.chain import ChainModel
from models.conv import ConvModel
from models.dbof import DbofModel
from models.decision_level_attention import DecisionLevelAttentionModel
from models.feature_level_attention import FeatureLevelAttentionModel
from models.frame_level_logistic import FrameLevelLogisticModel
from models.gated_dbof import GatedDbofModel
from models.gru import GruModel
from models.logistic import LogisticModel
from models.lstm import LstmModel
from models.mix_next_vlad import MixNextVladModel
from models.mlp import MlpModel
from models.moe import MoeModel
from models.multi_head_attention import MultiHeadAttentionModel
from models.multi_level_attention import MultiLevelAttentionModel
from models.net_fv import NetFvModel
from models.net_rvlad import NetRvladModel
from models.net_vlad import NetVladModel
from models.next_vlad import NextVladModel
from models.soft_dbof import SoftDbofModel
from models.transformer import TransformerModel

__all__ = [
    "AttentionGruModel",
    "AttentionLstmModel",
    "BiGruModel",
    "BiLstmModel",
    "ChainModel",
    "ConvModel",
    "DbofModel",
    "DecisionLevelAttentionModel",
    "FeatureLevelAttentionModel",
    "FrameLevelLogisticModel",
    "FrameLevelModel",
    "GatedDbofModel",
    "GruModel",
    "LogisticModel",
    "LstmModel",
    "MixNextVladModel",
    "MlpModel",
    "MoeModel",
    "MultiHeadAttentionModel",
    "MultiLevelAttentionModel",
    "NetFvModel",
    "NetRvladModel",
    "NetVladModel",
    "NextVladModel",
    "SoftDbofModel",
    "TransformerModel",
    "VideoLevelModel",
]
