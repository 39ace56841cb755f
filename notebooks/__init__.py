"""Notebooks over the CRM, with make-believe leads to try them on."""
