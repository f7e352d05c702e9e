"""Offline work: data sets, training, evaluation, export and retraining. Only this room needs torch to run."""
