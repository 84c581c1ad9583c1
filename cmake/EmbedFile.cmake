# cmake -DINPUT=page.html -DOUTPUT=page.c -DNAME=page_html -DHEADER=page.h -P EmbedFile.cmake
# Writes a C file that defines NAME (the bytes) and NAME_bytes (how many).
file(READ "${INPUT}" hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR bytes "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," array "${hex}")
string(REGEX REPLACE "('[^']*',)('[^']*',)('[^']*',)('[^']*',)('[^']*',)('[^']*',)('[^']*',)('[^']*',)" "\\0\n" array "${array}")
file(WRITE "${OUTPUT}" "#include \"${HEADER}\"\n\nconst char ${NAME}[] = {\n${array}\n};\nconst size_t ${NAME}_bytes = ${bytes};\n")
