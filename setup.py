"""pbr reads setup.cfg; this file exists for editable installs."""

import setuptools

setuptools.setup(setup_requires=["pbr>=6.0"], pbr=True)
