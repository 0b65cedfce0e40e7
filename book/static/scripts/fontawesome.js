// In the place of the theme's file, which is larger than any page: it draws
// again the icons that the theme's font has drawn already.
