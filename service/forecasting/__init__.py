"""Models at work: the catalogue, the queue, the thread that forecasts, and the exchange of models.

service/runs decides when a run is made.
"""
