FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY prompts prompts
COPY memory memory
COPY bot bot
RUN python -m venv /opt/lorebot \
    && /opt/lorebot/bin/pip install --no-cache-dir -c constraints.txt ".[local,discord,slack]"

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 lorebot
COPY --from=build /opt/lorebot /opt/lorebot
ENV PATH=/opt/lorebot/bin:$PATH PYTHONUNBUFFERED=1
USER lorebot
WORKDIR /home/lorebot
# The weights of the local models are kept here; mount a volume to fetch them once.
RUN mkdir -p .cache/lorebot
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s CMD ["lorebot", "recall", "ping", "-k", "1"]
ENTRYPOINT ["lorebot"]
CMD ["repl"]
