"""ONNX graphs: a builder that reads like numpy, recurrent layers as native nodes, torch modules as graphs.

It knows nothing of tasks and bundles. A task describes its networks with it; recurra.export tries and writes
them.
"""
