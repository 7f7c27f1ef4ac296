# One image for every part of Portcall: docker run portcall api | worker | init | ...
#
# Behind a proxy or an own certificate authority, give pip's settings as build secrets; they
# reach the build, not the image:
#   docker build --secret id=pip.conf,src=/etc/pip.conf \
#                --secret id=ca.crt,src=/etc/ssl/certs/ca-certificates.crt .

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /build

COPY requirements/build.txt requirements/runtime.txt requirements/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.crt,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv /opt/portcall \
    && /opt/portcall/bin/pip install --no-compile --require-hashes -r requirements/runtime.txt \
    && python3 -m venv tools \
    && tools/bin/pip install --no-compile --require-hashes -r requirements/build.txt

COPY . .
# Byte code by content instead of time: the same sources make the same image.
RUN tools/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir dist . \
    && /opt/portcall/bin/pip install --no-compile --no-deps --no-index dist/*.whl \
    && /opt/portcall/bin/pip uninstall --yes pip setuptools \
    && /opt/portcall/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/portcall/lib

FROM python:3.11-slim-bookworm
COPY --from=build /opt/portcall /opt/portcall
RUN install --directory --owner=10001 --group=10001 /var/lib/portcall
ENV PATH=/opt/portcall/bin:$PATH HOME=/var/lib/portcall PORTCALL_DATA_DIR=/var/lib/portcall
WORKDIR /var/lib/portcall
USER 10001:10001
ENTRYPOINT ["portcall"]
