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
