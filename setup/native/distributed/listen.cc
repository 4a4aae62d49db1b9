// `bind` as libtensorflow calls it: its entry in the library's table of outer functions is replaced by ours.

#include "listen.h"

#include <arpa/inet.h>
#include <elf.h>
#include <link.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <atomic>

namespace {

in6_addr wanted; // an IPv4 address as IPv6 writes it (::ffff:a.b.c.d)
int wanted_port = 0;
std::atomic<int> bound{0}, failed{0};

bool parse(const char* text) {
  in_addr four;
  if (inet_pton(AF_INET, text, &four) == 1) {
    memset(&wanted, 0, sizeof wanted);
    wanted.s6_addr[10] = wanted.s6_addr[11] = 0xff;
    memcpy(wanted.s6_addr + 12, &four, sizeof four);
    return true;
  }
  return inet_pton(AF_INET6, text, &wanted) == 1;
}

int count(int result) {
  (result == 0 ? bound : failed)++;
  return result;
}

int bind_there(int socket, const sockaddr* asked, socklen_t length) {
  if (asked != nullptr && asked->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 own;
    memcpy(&own, asked, sizeof own);
    if (ntohs(own.sin6_port) == wanted_port && IN6_IS_ADDR_UNSPECIFIED(&own.sin6_addr)) {
      own.sin6_addr = wanted;
      return count(bind(socket, reinterpret_cast<sockaddr*>(&own), sizeof own));
    }
  }
  if (asked != nullptr && asked->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in own;
    memcpy(&own, asked, sizeof own);
    if (ntohs(own.sin_port) == wanted_port && own.sin_addr.s_addr == INADDR_ANY) {
      if (!IN6_IS_ADDR_V4MAPPED(&wanted)) return count(-1);
      memcpy(&own.sin_addr, wanted.s6_addr + 12, sizeof own.sin_addr);
      return count(bind(socket, reinterpret_cast<sockaddr*>(&own), sizeof own));
    }
  }
  return bind(socket, asked, length);
}

/** What the dynamic section of a library says of its relocations. */
struct Tables {
  const ElfW(Sym)* symbols = nullptr;
  const char* names = nullptr;
  const ElfW(Rela)* calls = nullptr; // of functions
  size_t calls_size = 0;
  const ElfW(Rela)* data = nullptr; // of everything else
  size_t data_size = 0;
};

Tables tables_of(const dl_phdr_info& library) {
  Tables found;
  for (int i = 0; i < library.dlpi_phnum; i++) {
    if (library.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(library.dlpi_addr + library.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; entry++) {
      const ElfW(Addr) value = entry->d_un.d_ptr; // glibc has made addresses of them
      if (entry->d_tag == DT_SYMTAB) found.symbols = reinterpret_cast<const ElfW(Sym)*>(value);
      if (entry->d_tag == DT_STRTAB) found.names = reinterpret_cast<const char*>(value);
      if (entry->d_tag == DT_JMPREL) found.calls = reinterpret_cast<const ElfW(Rela)*>(value);
      if (entry->d_tag == DT_PLTRELSZ) found.calls_size = entry->d_un.d_val;
      if (entry->d_tag == DT_RELA) found.data = reinterpret_cast<const ElfW(Rela)*>(value);
      if (entry->d_tag == DT_RELASZ) found.data_size = entry->d_un.d_val;
    }
  }
  return found;
}

#if __WORDSIZE == 64
#define SYMBOL_OF ELF64_R_SYM
#else
#define SYMBOL_OF ELF32_R_SYM
#endif

/** Replace the entries of `bind` in one table; returns how many. */
int replace(ElfW(Addr) base, const Tables& tables, const ElfW(Rela)* entries, size_t size) {
  int replaced = 0;
  const size_t page = sysconf(_SC_PAGESIZE);
  for (size_t i = 0; entries != nullptr && i < size / sizeof *entries; i++) {
    const size_t symbol = SYMBOL_OF(entries[i].r_info);
    if (symbol == 0 || strcmp(tables.names + tables.symbols[symbol].st_name, "bind") != 0) continue;
    void** slot = reinterpret_cast<void**>(base + entries[i].r_offset);
    void* start = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(slot) & ~(page - 1));
    if (mprotect(start, page, PROT_READ | PROT_WRITE) != 0) continue;
    *slot = reinterpret_cast<void*>(bind_there);
    replaced++;
  }
  return replaced;
}

int visit(dl_phdr_info* library, size_t, void* total) {
  if (strstr(library->dlpi_name, "libtensorflow") == nullptr) return 0;
  const Tables tables = tables_of(*library);
  if (tables.symbols == nullptr || tables.names == nullptr) return 0;
  *static_cast<int*>(total) += replace(library->dlpi_addr, tables, tables.calls, tables.calls_size) +
                               replace(library->dlpi_addr, tables, tables.data, tables.data_size);
  return 0;
}

}  // namespace

bool listen_only_at(const char* address, int port) {
  int replaced = 0;
  wanted_port = port;
  if (!parse(address)) return false;
  dl_iterate_phdr(visit, &replaced);
  return replaced > 0;
}

bool listened_only_there(void) { return bound > 0; }
