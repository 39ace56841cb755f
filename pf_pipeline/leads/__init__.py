"""What a lead is: the parser, the schema, phones, references, the merge law, the assignment rules.

This room knows no other. It reads records and frames and gives frames; where they come from and
where they go is others' business.
"""
