/* What the theme leaves out: the search's name, and the keyboard's way into tables that are wider than the screen. */
document.querySelector(".md-search")?.setAttribute("aria-label", "Search")
addEventListener("load", () => {
  for (const one of document.querySelectorAll(".md-typeset__scrollwrap")) one.tabIndex = 0
})
