"""Bulgarian names of Lab's main menus.

Lab's server looks for exactly this module name and for `locale/bg_BG/LC_MESSAGES/jupyterlab.mo` in it;
`hatch_build.py` makes that file from `atelier_lab/language_bg/jupyterlab.json`, where all texts stand.
"""
