# Two images in one file: what builds, and what runs. script/setup has the list of packages for the first.
FROM debian:trixie-slim AS build
WORKDIR /source
COPY script/setup script/setup
RUN script/setup build && rm -rf /var/lib/apt/lists/*
COPY . .
ARG COMMIT=unknown
RUN cmake --preset release -DJITNEY_COMMIT="$COMMIT" && ninja -C build/release \
  && mkdir /out && cp build/release/service/jitney build/release/loadtest/jitney-load /out/ && strip /out/*

FROM debian:trixie-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends \
    libuv1t64 libllhttp9.2 libyyjson0 libopenblas0-pthread libprotobuf-c1 \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /usr/local/bin/
COPY --from=build /source/build/release/models /models
USER 10001:10001
ENV JITNEY_LISTEN=0.0.0.0:8001 JITNEY_MODELS=/models
EXPOSE 8001
# Asks over HTTP where JITNEY_LISTEN says; no shell takes part.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["jitney", "--check-health"]
ENTRYPOINT ["jitney"]
