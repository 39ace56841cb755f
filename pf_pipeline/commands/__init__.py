"""What the commands of ``pf-pipeline`` do; :mod:`pf_pipeline.cli` only names them."""
