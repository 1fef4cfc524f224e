/**
 * Every program of user space and where it is installed. A key that starts with '/' is the path;
 * any other becomes /bin/KEY.
 */
import type { ProgramRegistry, UserMain } from '../kernel/syscall/abi.ts';
import { cat } from './coreutils/cat.ts';
import { chmod } from './coreutils/chmod.ts';
import { comm, join, paste } from './coreutils/combine.ts';
import { cp } from './coreutils/cp.ts';
import { cut } from './coreutils/cut.ts';
import { dmesg } from './coreutils/dmesg.ts';
import { chgrp, chown, cmp, du } from './coreutils/disk.ts';
import { dd } from './coreutils/dd.ts';
import { diff } from './coreutils/diff.ts';
import {
  b2sum,
  base32,
  base64,
  cksum,
  md5sum,
  sha1sum,
  sha224sum,
  sha256sum,
  sha384sum,
  sha512sum,
} from './coreutils/digest.ts';
import { hexdump, xxd } from './coreutils/dump.ts';
import { echoTool } from './coreutils/echo.ts';
import {
  env,
  groupsTool,
  id,
  logname,
  nproc,
  printenv,
  pwd,
  tty,
  which,
  whoami,
} from './coreutils/environment.ts';
import { expr } from './coreutils/expr.ts';
import { killall, pgrep, pidof, pkill } from './coreutils/find-processes.ts';
import { arch, file, getconf, install, lscpu, mountpoint, sum, tput } from './coreutils/facts.ts';
import { find } from './coreutils/find.ts';
import { grep } from './coreutils/grep.ts';
import { head } from './coreutils/head.ts';
import { killTool } from './coreutils/kill.ts';
import { column, expand, fmt, fold, unexpand } from './coreutils/layout-text.ts';
import { less } from './coreutils/less.ts';
import { link, ln, readlink, realpath } from './coreutils/ln.ts';
import { ls } from './coreutils/ls.ts';
import { mkdir, mkfifo, mknod, rmdir } from './coreutils/mkdir.ts';
import { df, mount, umount } from './coreutils/mounts.ts';
import { mv } from './coreutils/mv.ts';
import { od } from './coreutils/od.ts';
import { mktemp, split, strings, sync, truncate } from './coreutils/pieces.ts';
import { power } from './coreutils/power.ts';
import { printfTool } from './coreutils/printf.ts';
import {
  chroot,
  nice,
  nohup,
  renice,
  setsid,
  sleep,
  time,
  timeout,
  watch,
} from './coreutils/process-tools.ts';
import { ps } from './coreutils/ps.ts';
import { rm, unlink } from './coreutils/rm.ts';
import { sed } from './coreutils/sed.ts';
import { seq } from './coreutils/seq.ts';
import { shuf } from './coreutils/shuf.ts';
import { basename, dirname, nl, rev, tac, yes } from './coreutils/simple-text.ts';
import { sort } from './coreutils/sort.ts';
import { stat } from './coreutils/stat.ts';
import { sysctl } from './coreutils/sysctl.ts';
import { ethtool } from './net/ethtool.ts';
import { date, free, hostname, uname, uptime } from './coreutils/system-info.ts';
import { tail } from './coreutils/tail.ts';
import { tee } from './coreutils/tee.ts';
import { clear, reset, stty } from './coreutils/terminal-tools.ts';
import { bracketTool, testTool } from './coreutils/test.ts';
import { top } from './coreutils/top.ts';
import { touch } from './coreutils/touch.ts';
import { tr } from './coreutils/tr.ts';
import { falseTool, trueTool } from './coreutils/true.ts';
import { uniq } from './coreutils/uniq.ts';
import { wc } from './coreutils/wc.ts';
import { xargs } from './coreutils/xargs.ts';
import { bpftool } from './bpftool/main.ts';
import { rbdump } from './bpf/rbdump.ts';
import { init } from './init/init.ts';
import { ip } from './ip/main.ts';
import { program, type Tool } from './libc/process.ts';
import { sh } from './sh/main.ts';

const TOOLS: Readonly<Record<string, Tool>> = {
  '/sbin/init': init,
  '/sbin/poweroff': power,
  '/sbin/reboot': power,
  '/sbin/halt': power,
  '/sbin/ethtool': ethtool,
  '/sbin/sysctl': sysctl,
  '/sbin/ip': ip,
  '/usr/sbin/bpftool': bpftool,
  '/usr/bin/rbdump': rbdump,
  '[': bracketTool,
  arch,
  b2sum,
  base32,
  base64,
  basename,
  cat,
  chgrp,
  chmod,
  chown,
  chroot,
  cksum,
  clear,
  cmp,
  column,
  comm,
  cp,
  cut,
  date,
  dd,
  df,
  diff,
  dirname,
  dmesg,
  du,
  echo: echoTool,
  env,
  expand,
  expr,
  false: falseTool,
  file,
  find,
  fmt,
  fold,
  free,
  getconf,
  grep,
  groups: groupsTool,
  head,
  hexdump,
  hostname,
  id,
  install,
  join,
  kill: killTool,
  killall,
  less,
  link,
  ln,
  logname,
  ls,
  lscpu,
  md5sum,
  mkdir,
  mkfifo,
  mknod,
  mktemp,
  mount,
  mountpoint,
  mv,
  nice,
  nl,
  nohup,
  nproc,
  od,
  paste,
  pgrep,
  pidof,
  pkill,
  printenv,
  printf: printfTool,
  ps,
  pwd,
  readlink,
  realpath,
  renice,
  reset,
  rev,
  rm,
  rmdir,
  sed,
  seq,
  setsid,
  sha1sum,
  sha224sum,
  sha256sum,
  sha384sum,
  sha512sum,
  shuf,
  sleep,
  sort,
  split,
  stat,
  strings,
  stty,
  sum,
  sync,
  tac,
  tail,
  tee,
  test: testTool,
  time,
  timeout,
  top,
  touch,
  tput,
  tr,
  true: trueTool,
  truncate,
  tty,
  umount,
  uname,
  unexpand,
  uniq,
  unlink,
  uptime,
  watch,
  wc,
  which,
  whoami,
  xargs,
  xxd,
  yes,
};

export const programs: ProgramRegistry = new Map<string, UserMain>([
  ['sh', sh],
  ...Object.entries(TOOLS).map(([name, tool]) => [name, program(tool)] as const),
]);
