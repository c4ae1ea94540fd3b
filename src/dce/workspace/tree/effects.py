"""Which paths do more than hold text: files that tools run automatically, and files that set tool policy.

Judged by name only. What must always hold: a row is data; names are compared case-insensitively, as some file systems do.
"""

import fnmatch
import functools
import re
from collections.abc import Mapping

RUNS = "runs_by_itself"
POLICY = "sets_policy"

_PATTERNS: Mapping[str, tuple[str, ...]] = {
    RUNS: (
        # continuous integration, which runs with the repository's own permissions
        *(".github/workflows/*", ".github/actions/*", ".gitlab-ci.yml", ".gitlab/ci/*", ".circleci/*", "jenkinsfile*"),
        *("azure-pipelines*.y*ml", ".azure-pipelines/*", "bitbucket-pipelines.yml", ".travis.yml", "appveyor.yml"),
        *(
            ".appveyor.yml",
            ".drone.yml",
            ".drone.star",
            ".woodpecker*",
            ".buildkite/*",
            ".teamcity/*",
            "cloudbuild*.y*ml",
        ),
        *("action.y*ml", ".builds/*", ".cirrus.yml", ".forgejo/workflows/*", ".gitea/workflows/*"),
        # editors, on opening the folder or running a test
        *(".vscode/*.json", "*.code-workspace", ".idea/*", ".devcontainer/*", ".devcontainer.json", ".zed/*.json"),
        *(".vimrc", ".nvimrc", ".exrc", ".nvim.lua", ".dir-locals.el", ".gitpod.yml"),
        *(".lvimrc", ".local.vimrc", ".vim/*", ".emacs", ".kakrc", ".fleet/*", ".nova/*", "*.sublime-project"),
        *(".ycm_extra_conf.py", ".clangd", ".gdbinit", ".lldbinit", ".pdbrc", ".irbrc", ".pryrc", ".rprofile"),
        # agents and shells
        *(".gemini/*", ".codex/*", ".windsurf/*", ".opencode/*", "opencode.json*", ".continue/*", ".roo/*", ".kiro/*"),
        *(".amazonq/*", ".junie/*", ".aider.conf.y*ml", ".crush.json", "crush.json", ".github/hooks/*"),
        *(".bash_profile", ".bash_login", ".bash_logout", ".zshenv", ".zprofile", ".zlogin", "config.fish"),
        *(".mise.toml", "mise.toml", ".mise/*", "mise.*.toml", "devbox.json", "devenv.nix"),
        *(".mcp.json", ".claude/*", ".cursor/*", ".envrc", ".autoenv", ".env.zsh", ".bashrc", ".zshrc", ".profile"),
        # build and test files that people run without reading
        *(
            "makefile",
            "gnumakefile",
            "*.mk",
            "justfile",
            ".justfile",
            "taskfile*.y*ml",
            "rakefile",
            "*.rake",
            "gemfile",
        ),
        *(
            "gruntfile.*",
            "gulpfile.*",
            "webpack.config.*",
            "vite.config.*",
            "vitest.config.*",
            "jest.config.*",
            "rollup.config.*",
        ),
        *(
            "babel.config.*",
            "eslint.config.*",
            ".eslintrc.*js",
            "postcss.config.*",
            "tailwind.config.*",
            "next.config.*",
        ),
        *(
            "conftest.py",
            "sitecustomize.py",
            "usercustomize.py",
            "*.pth",
            "noxfile.py",
            "tox.ini",
            "pytest.ini",
            "dodo.py",
        ),
        *(
            "setup.py",
            "setup.cfg",
            "pyproject.toml",
            "hatch_build.py",
            "manage.py",
            "fabfile.py",
            "sconstruct",
            "wscript",
        ),
        *(
            "build.rs",
            ".cargo/config*",
            "build.gradle*",
            "settings.gradle*",
            "gradle/wrapper/*",
            "gradlew*",
            "mvnw*",
            "pom.xml",
        ),
        *(
            ".mvn/*",
            "cmakelists.txt",
            "*.cmake",
            "meson.build",
            "configure",
            "*.csproj",
            "directory.build.*",
            "extconf.rb",
        ),
        *("mix.exs", ".formatter.exs", "rebar.config*", "project.clj", "deps.edn", "bb.edn", "build.sbt", "*.sbt"),
        *("build.zig*", "package.swift", "podfile", "fastfile", "dangerfile*", "setup.hs", "*.cabal", "magefile.go"),
        *("cargo.toml", "deno.json*", "bunfig.toml", "*.nix", "*.fsproj", "*.vbproj", "*.vcxproj", "*.targets"),
        *("*.gemspec", "config.ru", "capfile", "guardfile", ".rspec", "phpunit.xml*", "artisan", "rector.php"),
        *(".mocharc.*", ".babelrc*", ".swcrc", ".eslintrc*", ".prettierrc*", "prettier.config.*", ".stylelintrc*"),
        *("stylelint.config.*", "nuxt.config.*", "svelte.config.*", "astro.config.*", "remix.config.*", "ava.config.*"),
        *("playwright.config.*", "cypress.config.*", "karma.conf.*", "wdio.conf.*", ".nycrc*", "tsup.config.*"),
        *("metro.config.*", "rspack.config.*", "rsbuild.config.*", "vue.config.*", "craco.config.*", "angular.json"),
        *("commitlint.config.*", ".commitlintrc*", ".lintstagedrc*", "lint-staged.config.*", "turbo.json", "nx.json"),
        *("hardhat.config.*", "truffle-config.js", ".luacheckrc", ".rubocop.y*ml", ".pylintrc", "pylintrc"),
        *("mypy.ini", ".mypy.ini", ".coveragerc", "conf.py", "mkdocs.y*ml", "jupyter_*config.py"),
        # containers, and services that build and run what is pushed
        *("dockerfile*", "*.dockerfile", "containerfile*", "docker-compose*.y*ml", "compose.y*ml", "compose.*.y*ml"),
        *("vagrantfile", "procfile*", "tiltfile", "earthfile", "skaffold.y*ml", "dagger.json", "serverless.y*ml"),
        *("netlify.toml", "vercel.json", "now.json", "fly.toml", "render.y*ml", "railway.*", "wrangler.*"),
        *("firebase.json", "buildspec*.y*ml", "codemagic.y*ml", ".semaphore/*", ".readthedocs.y*ml", "wercker.yml"),
        # hooks of git and of package managers
        *(
            ".pre-commit-config.yaml",
            ".pre-commit-hooks.yaml",
            ".husky/*",
            ".githooks/*",
            ".git-hooks/*",
            "lefthook*.y*ml",
        ),
        *(".lefthook*.y*ml", "package.json", ".pnpmfile.cjs", ".yarnrc*", ".npmrc", "composer.json", "binding.gyp"),
    ),
    POLICY: (
        # what DCE itself may read and send
        *(".dceallow", ".dceignore"),
        # what git does with files, and where it takes code from
        *(".gitattributes", ".gitmodules", ".gitignore", ".gitconfig", ".lfsconfig"),
        # which dependencies are installed
        *(
            "package-lock.json",
            "npm-shrinkwrap.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "bun.lock*",
            "deno.lock",
            "uv.lock",
        ),
        *(
            "poetry.lock",
            "pdm.lock",
            "pylock*.toml",
            "pipfile",
            "pipfile.lock",
            "requirements*.txt",
            "constraints*.txt",
        ),
        *(
            "cargo.lock",
            "go.sum",
            "go.mod",
            "gemfile.lock",
            "composer.lock",
            "mix.lock",
            "flake.lock",
            "packages.lock.json",
        ),
        *("gradle.lockfile", "*.lockfile", "podfile.lock", "package.resolved", "conda-lock.yml", ".terraform.lock.hcl"),
        *("pip.conf", "pip.ini", "nuget.config", ".bazelrc"),
        # required reviewers, settings of scanners and bots, instructions for agents
        *(
            "codeowners",
            ".github/dependabot.y*ml",
            "renovate.json*",
            ".renovaterc*",
            ".gitleaks.toml",
            ".gitleaksignore",
        ),
        *(".secrets.baseline", ".semgrepignore", ".snyk", ".trivyignore", "agents.md", "claude.md", ".cursorrules"),
        *(".github/copilot-instructions.md", ".dockerignore", ".npmignore"),
        *(
            ".github/instructions/*",
            ".github/prompts/*",
            ".github/chatmodes/*",
            ".github/agents/*",
            ".github/settings.yml",
        ),
        *(".windsurfrules", ".clinerules*", ".clinerules/*", ".roorules*", ".rules", ".goosehints", "gemini.md"),
        *("qwen.md", "warp.md", "agent.md", ".aiderignore", ".cursorignore", ".geminiignore", ".codeiumignore"),
        *(".aiexclude", ".mergify.yml", "osv-scanner.toml", "deny.toml", ".grype.y*ml", ".checkov.y*ml"),
        *("sonar-project.properties", "codecov.y*ml", ".codecov.y*ml"),
        # which versions of tools run, and where tools connect
        *(".tool-versions", ".nvmrc", ".node-version", ".python-version", ".ruby-version", "rust-toolchain*"),
        *("global.json", "libs.versions.toml", "environment.y*ml", "pnpm-workspace.yaml", ".bundle/config"),
        *(".htaccess", ".user.ini", "web.config", ".curlrc", ".wgetrc", ".netrc"),
    ),
}
"""Flag → patterns. A pattern with `/` matches a path at any depth of the project, any other a file name; `*` also matches `/`."""

_OWN_POLICY = frozenset({".dceallow", ".dceignore"})


def effects_of(*paths: str) -> tuple[str, ...]:
    """The flags that apply to a file under any of its names (a link has two)."""
    names = [path.casefold().removeprefix("./") for path in paths]
    return tuple(flag for flag in _PATTERNS if any(_any_of(flag).fullmatch(name) for name in names))


def is_own_policy(*paths: str) -> bool:
    """Whether a file controls what DCE may read or send. An answer must not change such a file unnoticed."""
    return any(path.casefold().rpartition("/")[2] in _OWN_POLICY for path in paths)


@functools.cache
def _any_of(flag: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?:.*/)?{fnmatch.translate(pattern)}" for pattern in _PATTERNS[flag]), re.DOTALL)
