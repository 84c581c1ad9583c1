# Everything comes from the distribution; nothing is fetched. script/setup installs it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(jitney_find module spec package)
  pkg_check_modules(${module} IMPORTED_TARGET GLOBAL ${spec})
  if(NOT ${module}_FOUND)
    message(FATAL_ERROR "${spec} was not found (Debian's ${package}). Run script/setup, which installs it.")
  endif()
endfunction()

jitney_find(LIBUV "libuv>=1.44" libuv1-dev)                    # event loop, sockets, timers
jitney_find(LLHTTP "libllhttp>=9.2" libllhttp-dev)             # HTTP/1 parsing
jitney_find(YYJSON "yyjson>=0.10" libyyjson-dev)               # JSON in, configuration files
jitney_find(OPENBLAS "openblas>=0.3" libopenblas-pthread-dev)   # matrix products
jitney_find(PROTOBUF_C "libprotobuf-c>=1.4" libprotobuf-c-dev) # ONNX files
find_program(PROTOC_C protoc-c)
if(NOT PROTOC_C)
  message(FATAL_ERROR "protoc-c was not found (Debian's protobuf-c-compiler). Run script/setup, which installs it.")
endif()
