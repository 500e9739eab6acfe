# SPDX-License-Identifier: MIT
# Packs the files of the dashboard with gzip and turns them into C: run by CMake
# itself as a script (-P) at build time. The same files make the same bytes.
#
#     longstop_embed_dashboard(TARGET FOLDER)
if(NOT CMAKE_SCRIPT_MODE_FILE)
    function(longstop_embed_dashboard target folder)
        find_program(LONGSTOP_GZIP gzip REQUIRED)
        file(GLOB files CONFIGURE_DEPENDS ${folder}/*.html ${folder}/*.css
            ${folder}/*.js)
        set(output ${CMAKE_BINARY_DIR}/generated/dashboard.c)
        set(script ${CMAKE_SOURCE_DIR}/cmake/embed_dashboard.cmake)
        # A file that is gone makes nothing newer: the list of names does.
        set(list ${CMAKE_BINARY_DIR}/generated/dashboard.list)
        file(CONFIGURE OUTPUT ${list} CONTENT "${files}\n")
        add_custom_command(OUTPUT ${output}
            COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} -DOUTPUT=${output}
                -DGZIP=${LONGSTOP_GZIP} -P ${script}
            DEPENDS ${files} ${script} ${list}
            COMMENT "Embedding the dashboard"
            VERBATIM)
        target_sources(${target} PRIVATE ${output})
    endfunction()
    return()
endif()

file(GLOB files ${FOLDER}/*.html ${FOLDER}/*.css ${FOLDER}/*.js)
list(SORT files)

# What all parts have in their path: another as soon as one of them is.
set(hashes "")
foreach(file IN LISTS files)
    file(SHA256 ${file} hash)
    string(APPEND hashes "${hash}\n")
endforeach()
string(SHA256 build "${hashes}")
string(SUBSTRING ${build} 0 16 build)

set(arrays "")
set(rows "")
set(count 0)
get_filename_component(work ${OUTPUT} DIRECTORY)
foreach(file IN LISTS files)
    get_filename_component(name ${file} NAME)
    set(plain ${work}/dashboard.part)
    set(packed ${work}/dashboard.part.gz)
    # The page names the build; no other file is changed.
    configure_file(${file} ${plain} COPYONLY)
    if(name STREQUAL "index.html")
        set(BUILD ${build})
        configure_file(${file} ${plain} @ONLY)
    endif()
    # Without a name and a time in its head.
    execute_process(COMMAND ${GZIP} -9nc ${plain} OUTPUT_FILE ${packed}
        RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "gzip cannot pack ${file}")
    endif()
    file(READ ${packed} hex HEX)
    file(SIZE ${packed} bytes)
    string(REGEX REPLACE "(..)" "0x\\1," text "${hex}")
    string(REGEX REPLACE
        "(....,....,....,....,....,....,....,....,....,....,....,....,)"
        "\\1\n    " text "${text}")
    string(APPEND arrays
        "static const unsigned char file_${count}[] = {\n    ${text}\n};\n")
    string(APPEND rows "    { \"${name}\", file_${count}, ${bytes} },\n")
    math(EXPR count "${count} + 1")
endforeach()
file(REMOVE ${work}/dashboard.part ${work}/dashboard.part.gz)
file(WRITE ${OUTPUT}
    "/* Made by cmake/embed_dashboard.cmake; not to be edited. */\n"
    "#include \"app/dashboard.h\"\n\n${arrays}\n"
    "const struct dashboard_file dashboard_files[] = {\n${rows}};\n"
    "const size_t dashboard_file_count = ${count};\n"
    "const char dashboard_build[] = \"${build}\";\n")
