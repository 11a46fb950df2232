// The page: its views, which of them is shown, and what belongs to all of them.

import { CompareView } from "./compare_view.js";
import { DatabasesView } from "./databases_view.js";
import { byId } from "./element.js";
import { startIntake } from "./intake.js";
import { sayAll, switchLanguage } from "./language.js";
import { LiveView } from "./live_view.js";
import { problemOf } from "./problems.js";
import { showProblem } from "./notices.js";
import { RecordsView } from "./records_view.js";
import { SearchView } from "./search_view.js";
import { askForToken, session } from "./session.js";
import { line, tell } from "./service.js";
import { openHelp, startShortcuts } from "./shortcuts.js";
import { nextTheme, startTheme } from "./theme.js";

const LOOK_AGAIN_MILLISECONDS = 3000;

/** @param {string} place behind #/ */
const go = (place) => {
  location.hash = `#/${place}`;
};

const compare = new CompareView();
const databases = new DatabasesView(go);
const search = new SearchView({
  go,
  compare: (a, b) => {
    go("compare");
    compare.compare(a, b);
  },
  newDatabase: () => databases.openNew(),
});
const records = new RecordsView({
  go,
  searchWith: (database, record) => {
    go("search");
    search.searchWith(database, record);
  },
});
const views = { search, compare, databases, records, live: new LiveView() };
/** @type {string | null} */ let shown = null;

/** Shows the view that the address names. @param {boolean} isFirst */
function route(isFirst) {
  const [place, encoded] = location.hash.replace(/^#\/?/, "").split("/");
  // A database's name has no letter that an address would change.
  const name = /^[\w.-]+$/.test(encoded ?? "") ? encoded : "";
  const view =
    place === "databases" && name ? "records" : place in views && place !== "records" ? place : "search";
  if (shown !== null) views[shown].leave();
  shown = view;
  for (const id of Object.keys(views)) byId(id).hidden = id !== view;
  for (const tab of document.querySelectorAll(".tabs a")) {
    const isHere = tab.getAttribute("data-view") === (view === "records" ? "databases" : view);
    if (isHere) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  views[view].enter(name);
  if (isFirst) return;
  scrollTo({ top: 0 });
  byId(view).querySelector("h1").focus({ preventScroll: true });
}

/** Says that the service does not answer, and looks until it does. */
function watchLine() {
  let timer = 0;
  line.addEventListener("offline", () => {
    byId("offline").hidden = false;
    timer = setInterval(async () => {
      const answer = await fetch("livez", { cache: "no-store" }).catch(() => null);
      if (answer?.ok) tell(true);
    }, LOOK_AGAIN_MILLISECONDS);
  });
  line.addEventListener("online", () => {
    byId("offline").hidden = true;
    clearInterval(timer);
    if (session.about === null) load();
  });
}

async function start() {
  startTheme();
  sayAll();
  document.body.hidden = false;
  watchLine();
  startIntake();
  // A jump within the page is no change of view.
  document.querySelector(".skip")?.addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
  });
  byId("language").addEventListener("click", switchLanguage);
  byId("help").addEventListener("click", openHelp);
  byId("token").addEventListener("click", async () => {
    if (await askForToken()) await session.refresh().catch(problemOf);
  });
  startShortcuts({
    ...Object.fromEntries(
      ["search", "compare", "databases", "live"].map((place) => [place, () => go(place)]),
    ),
    choose: () =>
      byId(shown ?? "")
        ?.querySelector(".choose")
        ?.click(),
    crop: () => shown === "search" && search.startCrop(),
    whole: () => shown === "search" && search.crop.clear(),
    language: switchLanguage,
    theme: nextTheme,
    help: openHelp,
  });
  addEventListener("hashchange", () => route(false));
  route(true);
  await load();
}

/** Asks who we are and which databases there are. */
async function load() {
  const state = byId("search-state");
  const told = state.querySelector("[data-place=load]");
  try {
    await session.refresh();
    told?.remove();
  } catch (error) {
    showProblem(state, error, load);
    state.firstElementChild.dataset.place = "load";
  }
}

await start();
