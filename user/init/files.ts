/** The files that user space comes with, path to content. */

const PROFILE = `# Read by login shells.
export PS1='\\u@\\h:\\w\\$ '
export PAGER=less
alias ll='ls -l'
alias la='ls -la'
alias grep='grep --color=auto'
`;

const MOTD = `
 skep: a Linux-like kernel in a tab. Programs answer to --help; 'help' lists the shell's commands.

`;

export function userFiles(): Record<string, string> {
  return {
    '/etc/passwd':
      'root:x:0:0:root:/root:/bin/sh\n' +
      'daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n' +
      'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
    '/etc/group': 'root:x:0:\ndaemon:x:1:\ntty:x:5:\nnogroup:x:65534:\n',
    '/etc/profile': PROFILE,
    '/etc/motd': MOTD,
    '/etc/shells': '/bin/sh\n',
  };
}
