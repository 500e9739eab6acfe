# SPDX-License-Identifier: MIT
# What `cmake --install` puts where.
include(GNUInstallDirs)

install(TARGETS longstop RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

install(DIRECTORY connectors/ DESTINATION ${CMAKE_INSTALL_DATADIR}/longstop/connectors
    FILES_MATCHING PATTERN "*.yaml")
