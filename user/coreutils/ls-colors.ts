/** The colours of dircolors(1)'s database: by type, by mode, by extension. */
const ARCHIVES =
  /\.(?:tar|tgz|arc|arj|taz|lha|lz4|lzh|lzma|tlz|txz|tzo|t7z|zip|z|dz|gz|lrz|lz|lzo|xz|zst|tzst|bz2|bz|tbz|tbz2|tz|deb|rpm|jar|war|ear|sar|rar|alz|ace|zoo|cpio|7z|rz|cab|wim|swm|dwm|esd)$/i;
const PICTURES =
  /\.(?:avif|jpg|jpeg|mjpg|mjpeg|gif|bmp|pbm|pgm|ppm|tga|xbm|xpm|tif|tiff|png|svg|svgz|mng|pcx|mov|mpg|mpeg|m2v|mkv|webm|webp|ogm|mp4|m4v|mp4v|vob|qt|nuv|wmv|asf|rm|rmvb|flc|avi|fli|flv|gl|dl|xcf|xwd|yuv|cgm|emf|ogv|ogx)$/i;
const SOUNDS = /\.(?:aac|au|flac|m4a|mid|midi|mka|mp3|mpc|ogg|ra|wav|oga|opus|spx|xspf)$/i;
const BACKUPS =
  /(?:~|#|\.(?:bak|old|orig|part|rej|swp|tmp|dpkg-dist|dpkg-old|dpkg-new|dpkg-tmp))$/i;

export function linkColor(isOrphan: boolean): string {
  return isOrphan ? '40;31;01' : '01;36';
}

/** '' for what stays as it is. */
export function modeColor(mode: number, name: string): string {
  switch (mode & 0o170000) {
    case 0o040000:
      if ((mode & 0o1002) === 0o1002) return '30;42';
      if (mode & 0o002) return '34;42';
      return mode & 0o1000 ? '37;44' : '01;34';
    case 0o120000:
      return linkColor(false);
    case 0o020000:
    case 0o060000:
      return '40;33;01';
    case 0o010000:
      return '40;33';
    case 0o140000:
      return '01;35';
  }
  if (mode & 0o4000) return '37;41';
  if (mode & 0o2000) return '30;43';
  if (mode & 0o111) return '01;32';
  if (ARCHIVES.test(name)) return '01;31';
  if (PICTURES.test(name)) return '01;35';
  if (SOUNDS.test(name)) return '00;36';
  return BACKUPS.test(name) ? '00;90' : '';
}
