/** Debian package -> the commands of it that tests call. */
export const debianPackages = {
  'docker-registry': ['docker-registry'],
  'apache2-utils': ['htpasswd'],
  skopeo: ['skopeo'],
  'libarchive-tools': ['bsdtar'],
  tinyproxy: ['tinyproxy'],
  openssl: ['openssl'],
  mount: ['mount', 'umount'],
}
