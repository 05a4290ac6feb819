# One image for every Rongtong and Airflow service; the command decides which.
FROM python:3.11-slim
RUN useradd --create-home --uid 1000 rongtong && mkdir -p /var/lib/rongtong && chown rongtong /var/lib/rongtong
WORKDIR /opt/rongtong
COPY pyproject.toml uv.lock README.md ./
RUN pip install --no-cache-dir uv==0.13.9 \
    && uv export -q --frozen --no-dev --no-emit-project -o /tmp/requirements.txt \
    && uv pip install --system --compile-bytecode --require-hashes -r /tmp/requirements.txt
COPY . .
RUN uv pip install --system --no-deps -e .
USER rongtong
ENV RONGTONG_HOME=/var/lib/rongtong
ENTRYPOINT ["/usr/bin/env"]
CMD ["rongtong", "status"]
