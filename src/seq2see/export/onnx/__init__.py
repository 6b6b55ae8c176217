"""The target ONNX: a folder of two graphs, for ONNX Runtime and whatever else reads ONNX.

Program ──▶ whole (with what prepares the weights) ──▶ one row per kind of operation ──▶ nodes
"""
