# jitney_options: the flags of our own code. Linked PRIVATE by every target of ours and by nothing else.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)

add_library(jitney_options INTERFACE)
target_compile_definitions(jitney_options INTERFACE _GNU_SOURCE)
target_compile_options(jitney_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wmissing-prototypes -Wstrict-prototypes
  -Wundef -Wformat=2 -Wimplicit-fallthrough -Wpointer-arith -Wvla -Wwrite-strings
  $<$<BOOL:${JITNEY_WERROR}>:-Werror>)

if(JITNEY_SANITIZE)
  target_compile_options(jitney_options INTERFACE
    -fsanitize=${JITNEY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    $<$<BOOL:${JITNEY_FUZZ}>:-fsanitize=fuzzer-no-link>)
  target_link_options(jitney_options INTERFACE -fsanitize=${JITNEY_SANITIZE})
endif()

# The OpenSSF "Compiler Options Hardening Guide for C and C++", as far as this compiler knows each flag.
# Left out: -fno-strict-aliasing and -fno-delete-null-pointer-checks hide mistakes that the sanitizer builds find.
if(JITNEY_HARDEN)
  set(harden -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero
    -fno-strict-overflow -fstrict-flex-arrays=3 -Werror=format-security
    -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
    list(APPEND harden -fcf-protection=full)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    list(APPEND harden -mbranch-protection=standard)
  endif()
  foreach(flag IN LISTS harden)
    string(MAKE_C_IDENTIFIER "harden${flag}" known)
    check_c_compiler_flag(${flag} ${known})
    if(${known})
      target_compile_options(jitney_options INTERFACE ${flag})
    endif()
  endforeach()
  target_compile_options(jitney_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  target_link_options(jitney_options INTERFACE
    -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen -Wl,--as-needed)
endif()

# jitney_library(NAME SOURCES ... PUBLIC libs ... PRIVATE libs ...): one static library of ours.
# Its own folder's include/ (or the folder itself) is what users of it see.
function(jitney_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "INCLUDE" "SOURCES;PUBLIC;PRIVATE")
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/${arg_INCLUDE})
  target_link_libraries(${name} PUBLIC ${arg_PUBLIC} PRIVATE jitney_options ${arg_PRIVATE})
  jitney_check_headers(${name} ${CMAKE_CURRENT_SOURCE_DIR}/${arg_INCLUDE})
endfunction()

# A header that does not compile alone, or twice, is a bug: every header of the library is tried.
function(jitney_check_headers library folder)
  file(GLOB headers CONFIGURE_DEPENDS "${folder}/*.h")
  set(checks)
  foreach(header IN LISTS headers)
    get_filename_component(base ${header} NAME_WE)
    set(check "${CMAKE_CURRENT_BINARY_DIR}/headers/${base}_alone.c")
    file(CONFIGURE OUTPUT "${check}" CONTENT "#include \"${header}\"\n#include \"${header}\"\n")
    list(APPEND checks "${check}")
  endforeach()
  if(checks)
    add_library(${library}_headers OBJECT ${checks})
    target_link_libraries(${library}_headers PRIVATE ${library} jitney_options)
  endif()
endfunction()
