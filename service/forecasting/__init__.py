"""Models in service: the catalogue, the queue, the thread that forecasts, and the reload of models.

service/runs starts the runs.
"""
