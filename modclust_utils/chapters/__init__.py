"""The chapters of the book, a folder each: plan, tables, findings, figures, rules and claims.

What a chapter says is in its folder and in its notebook, and nowhere else. The package
`modclust_utils.publish` finds a chapter by its number and imports none.
"""
