// SPDX-License-Identifier: BSD-3-Clause
// Runs the tests the command line asks for, from any main(). The one file that compiles Catch itself has it.
#pragma once

int run_catch(int argc, char** argv);
