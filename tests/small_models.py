"""Hyper-parameters that make each model quick to test, and its training free of dropout."""

SMALL = {  # a model that is small by its defaults need not be here
    "DbofModel": {"iterations": 3, "dbof_cluster_size": 32, "dbof_hidden_size": 16},
    "LstmModel": {"lstm_cells": 16},
}
