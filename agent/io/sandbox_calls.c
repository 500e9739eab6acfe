/* SPDX-License-Identifier: MIT */
/*
 * sandbox_calls: the filter of system calls: a list of those that the program
 * never makes and that lead out of a process, into the kernel or into others.
 */
/* GNU: syscall. */
#define _GNU_SOURCE
#include "io/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers mean what they say on one architecture only. */
#if defined(__x86_64__) && !defined(__ILP32__)
#    define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#    define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#    define ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#    define ARCHITECTURE 0
#endif

/* LeakSanitizer stops the threads it looks at by ptrace. */
#if defined(__SANITIZE_ADDRESS__)
#    define IS_TRACED 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define IS_TRACED 1
#    endif
#endif

/* clang-format off */
static const unsigned denied[] = {
    /* programs, in place of this one */
    SYS_execve, SYS_execveat,
    /* into other processes */
#ifndef IS_TRACED
    SYS_ptrace,
#endif
    SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_getfd,
    /* other kernels, and code in this one */
    SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
    /* what is mounted, and which of it is seen */
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_move_mount,
    SYS_open_tree, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
    SYS_mount_setattr, SYS_setns, SYS_unshare, SYS_open_by_handle_at,
    SYS_name_to_handle_at, SYS_swapon, SYS_swapoff, SYS_quotactl,
    /* keys of the kernel */
    SYS_add_key, SYS_request_key, SYS_keyctl,
    /* the machine */
    SYS_reboot, SYS_acct, SYS_syslog, SYS_sethostname, SYS_setdomainname,
    SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex,
    SYS_vhangup, SYS_personality,
#ifdef SYS_iopl
    SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
};
/* clang-format on */

enum {
    DENIED = sizeof(denied) / sizeof(denied[0]),
    HEAD = 5, /* instructions before the list */
    X32_BIT = 0x40000000
};

#define LOAD(field)                                                            \
    (struct sock_filter)                                                       \
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                                     \
                 (unsigned)offsetof(struct seccomp_data, field))
#define JUMP(how, value, then, otherwise)                                      \
    (struct sock_filter)                                                       \
        BPF_JUMP(BPF_JMP | (how) | BPF_K, (value), (unsigned char)(then),      \
                 (unsigned char)(otherwise))
#define ANSWER(value) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, (value))

_Static_assert(DENIED < 250, "a jump of BPF goes 255 instructions at most");

/*
 * Another architecture's call, or one of x32, is denied whatever its number;
 * then each number of the list in turn. The kernel runs this once for each
 * number and remembers (Linux 5.11), so its length costs nothing.
 */
int
sandbox_filter_calls(void)
{
    struct sock_filter code[HEAD + DENIED + 2];
    unsigned short at = 0;
    code[at++] = LOAD(arch);
    code[at++] = JUMP(BPF_JEQ, ARCHITECTURE, 1, 0);
    code[at++] = ANSWER(SECCOMP_RET_ERRNO | EPERM);
    code[at++] = LOAD(nr);
    code[at++] = JUMP(BPF_JGE, X32_BIT, DENIED + 1, 0);
    for (size_t i = 0; i < DENIED; i++) {
        code[at++] = JUMP(BPF_JEQ, denied[i], DENIED - i, 0);
    }
    code[at++] = ANSWER(SECCOMP_RET_ALLOW);
    code[at++] = ANSWER(SECCOMP_RET_ERRNO | EPERM);
    const struct sock_fprog program = { .len = at, .filter = code };
    if (ARCHITECTURE == 0) {
        return EOPNOTSUPP;
    }
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0U, &program) == 0
               ? 0
               : errno;
}
