# SPDX-License-Identifier: MIT
# What `cmake --install` puts where.
include(GNUInstallDirs)

install(TARGETS longstop RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

install(DIRECTORY connectors/ DESTINATION ${CMAKE_INSTALL_DATADIR}/longstop/connectors
    FILES_MATCHING PATTERN "*.yaml")

# `longstop init` names the schema of the configuration, for editors.
install(FILES schema/config.schema.json schema/connector.schema.json
    schema/event.schema.json
    DESTINATION ${CMAKE_INSTALL_DATADIR}/longstop)

install(FILES schema/prometheus/alerts.yml schema/prometheus/dashboard.json
    DESTINATION ${CMAKE_INSTALL_DATADIR}/longstop/prometheus)

# The manual and the completions are what the program says of itself.
set(pages "")
function(longstop_page output)
    set(path ${CMAKE_BINARY_DIR}/pages/${output})
    add_custom_command(OUTPUT ${path}
        COMMAND longstop ${ARGN} > ${path}
        DEPENDS longstop
        COMMENT "Printing ${output}"
        VERBATIM)
    set(pages ${pages} ${path} PARENT_SCOPE)
endfunction()

file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/pages)
foreach(page IN ITEMS longstop.1 longstop.yaml.5 longstop-connectors.7)
    longstop_page(${page} manual ${page})
    string(REGEX REPLACE ".*\\." "man" section ${page})
    install(FILES ${CMAKE_BINARY_DIR}/pages/${page}
        DESTINATION ${CMAKE_INSTALL_MANDIR}/${section})
endforeach()
# Each shell looks in its own folder for a name of its own.
foreach(row IN ITEMS bash:longstop:bash-completion/completions
        zsh:_longstop:zsh/vendor-completions
        fish:longstop.fish:fish/vendor_completions.d)
    string(REPLACE ":" ";" row "${row}")
    list(GET row 0 shell)
    list(GET row 1 name)
    list(GET row 2 folder)
    longstop_page(longstop.${shell} completion ${shell})
    install(FILES ${CMAKE_BINARY_DIR}/pages/longstop.${shell}
        DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder} RENAME ${name})
endforeach()
add_custom_target(longstop_pages ALL DEPENDS ${pages})

# The unit names the program by its path. CMAKE_INSTALL_LIBDIR is no place for
# it: systemd looks in lib, whatever the architecture.
configure_file(packaging/systemd/longstop.service.in
    ${CMAKE_BINARY_DIR}/systemd/longstop.service @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/systemd/longstop.service
    packaging/systemd/longstop.socket DESTINATION lib/systemd/system)
install(FILES packaging/systemd/longstop.yaml
    DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

# `cpack` in the build's folder: all of it as one tar archive.
set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_FILE_NAME
    "longstop-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "catches what webhooks miss")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
include(CPack)
