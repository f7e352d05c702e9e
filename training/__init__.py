"""Offline work: data sets, training, evaluation, export and retraining. The only room that needs torch to run."""
